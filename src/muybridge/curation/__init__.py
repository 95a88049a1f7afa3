"""From raw footage to clips worth training on: cut, measured, cropped, told apart, and kept or not by a table.

Paper 3 (arXiv 2412.03603). Every stage writes what it measures; decisions are made afterwards, from a table of
thresholds, so that every clip that is left out can say which stage, value and threshold left it out.
"""
