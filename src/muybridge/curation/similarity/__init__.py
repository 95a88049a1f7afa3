"""Which clips are alike: vectors of what they show, copies of one another, concepts and their balance (paper 3.1)."""
