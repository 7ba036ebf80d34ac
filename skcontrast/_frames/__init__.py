"""Tables of several kinds of columns: data frames as matrices, columns that are one feature."""

from skcontrast._frames._matrix import FrameColumns, category_names, is_plain, library_of
from skcontrast._frames._one_hot import one_hot_groups

__all__ = ["FrameColumns", "category_names", "is_plain", "library_of", "one_hot_groups"]
