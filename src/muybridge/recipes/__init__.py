"""Where concrete choices meet: a recipe is a function that returns a complete config."""
