"""From findings to a page: one HTML file that opens offline and prints.

tables -> File -> Track -> figures, stills, comparison of groups -> page
"""

from actionunits.report.page import write

__all__ = ["write"]
