"""Several views in two columns, stopped together."""

from collections.abc import Sequence

import ipywidgets

from .view import View


class Grid(ipywidgets.GridBox):
    """Views side by side; on a narrow page below each other."""

    def __init__(self, views: Sequence[View]) -> None:
        columns = "repeat(auto-fit, minmax(min(100%, 420px), 1fr))"
        layout = ipywidgets.Layout(grid_template_columns=columns, grid_gap="10px", width="100%")
        super().__init__(children=tuple(views), layout=layout)

    @property
    def views(self) -> tuple[View, ...]:
        """The views, in reading order."""
        return self.children

    def stop(self) -> None:
        """End all views for good."""
        for view in self.views:
            view.stop()
