"""Our own small captioner: what a network sees of a clip, said by SmolLM2.

`slots` is what there is to see, `sight` the network that sees it, `writer` the language model that writes it down.
"""
