"""How answers stand rooms, noise, codecs and silence."""
