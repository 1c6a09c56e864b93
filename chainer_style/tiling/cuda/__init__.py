"""Tiles by engine ``cuda``: the picture, its gradient and all targets stay there."""
