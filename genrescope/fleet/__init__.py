"""Many machines: a plan of shards, engines that work through it, and one dataset of the answers."""
