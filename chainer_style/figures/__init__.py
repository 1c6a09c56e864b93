"""Figures 1 to 6 of the paper: what is drawn and painted for each of them."""
