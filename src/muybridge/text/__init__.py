"""Prompts into states: the language models, their templates, and the one seam all of them share. Paper 4.2."""
