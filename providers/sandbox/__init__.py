"""The sandbox's own imagination: reads a sentence, draws a picture of it, films the picture. No model, no network."""
