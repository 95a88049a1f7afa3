"""Checkpoints on disk: every known layout to our networks and back, the catalogue of models, and fetched assets.

The files in reading order; each takes what the one before gives.

1. Open: `files` opens whatever lies at a path, by its content (`folders` finds it; `header`, `mapped_file`, `pickles`
   and `storage.gguf` read the containers), as a `checkpoint`: keys to `stored` tensors, none of them read yet.
2. Storage: `storage.plain` folds scales and blocks into the tensors that they quantise, one file a scheme.
3. Names: `layouts` takes prefixes off and turns keys into the official ones, and back: one table a layout.
4. Recognise: `registry` has a row for each network; `recognise` finds the row and the layout, takes the config
   (`configs`, `text_configs`) and has every key accounted for (`accounting`).
5. Load: `load` makes the network; `text_encoders` those of the prompt.
6. Write: `save` streams a model to a file; `convert` turns one layout into another (`target` and `precision` say what
   it is to be, `names` in which words, `containers` how files are written, `partial` how an interrupted run goes on,
   `config_json` what diffusers reads beside). `report` says what a file is.
7. LoRA: `lora` reads every form into one, puts it on a network from outside, and writes it.
8. Fetch: `catalog` knows models by name, `hub` brings them, `licences` asks first; `assets` has the small things that
   gallop is made of, `smollm` its language model.
"""
