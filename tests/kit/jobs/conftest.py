from tests.kit.mortal import mortal

__all__ = ["mortal"]
