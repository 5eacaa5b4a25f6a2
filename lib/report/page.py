"""A page in the making, and the registries of views and figures, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from lib.core.errors import UserError
from lib.core.records import Results
from lib.report import html
from lib.report.wording import say

MIME = "application/vnd.text-generation-report.view+json"  # of an output that names a view and its options

PICTURES = (".svg", ".png")


@dataclass
class Page:
    """The data that a view is made from.

    Attributes:
        results: The report's records; incomplete while its notebook runs.
        folder: The report's folder, which figures are written to.
        language: One of `wording.LANGUAGES`.
        view: The name of the view that is being made.
    """

    results: Results
    folder: Path
    language: str = "en"
    view: str = ""

    @property
    def measured(self):
        """What the notebook measured."""
        return self.results.measured

    def say(self, name: str, /, **values) -> str:
        """Return a phrase in the page's language."""
        return say(name, self.language, **values)

    def table(self, rows: list[dict], caption: str = "") -> str:
        """Make a table in the page's language, see `html.table`."""
        return html.table(rows, caption, self.language, self.view)

    def figure_file(self, name: str) -> str:
        """Return where a figure that is drawn from the records lies in the report's folder."""
        return f"figures/{name}.svg" if self.language == "en" else f"figures/{self.language}/{name}.svg"

    def picture(self, file: str) -> Path:
        """Return a picture of the report, whose name comes from `results.json` or the executed notebook.

        Raises:
            UserError: If it does not lie in the report's folder, or is no picture.
        """
        place = (self.folder / file).resolve()
        if place.suffix not in PICTURES or not place.is_relative_to(self.folder.resolve()) or not place.is_file():
            results = self.results
            raise UserError(
                f"{self.folder.name} names the picture {file!r}, which is not a picture in its folder. Run `make "
                f"report NOTEBOOK={results.notebook} PROFILE={results.profile}` anew."
            )
        return place

    def show(self, view: str, **options) -> str:
        """Make a view.

        Args:
            view: A name in `VIEWS`.
            **options: The view's options.
        """
        self.view = view
        return VIEWS[view](self, **options)


def report_name(language: str) -> str:
    """Return the file name of a report's page in a language."""
    return "report.html" if language == "en" else f"report.{language}.html"


def index_name(language: str) -> str:
    """Return the file name of the index in a language."""
    return "index.html" if language == "en" else f"index.{language}.html"


VIEWS: dict[str, Callable[..., str]] = {}
FIGURES: dict[str, Callable[[Page], tuple[Figure, str]]] = {}


def view(function: Callable[..., str]) -> Callable[..., str]:
    """Register a function `(page, **options)` that returns HTML as a view, by its name."""
    VIEWS[function.__name__] = function
    return function


def drawing(function: Callable[[Page], tuple[Figure, str]]) -> Callable[[Page], tuple[Figure, str]]:
    """Register a function that draws a figure and describes it, for the view `figure`."""
    FIGURES[function.__name__] = function
    return function
