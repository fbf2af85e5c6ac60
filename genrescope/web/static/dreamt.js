// Whose dreams the page can play; made by `python -m benchmarks.dreams`.

export const bundle = "genrescope-10";
export const genres = ["blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock"];
