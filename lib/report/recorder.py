"""Record what a notebook measures, show it while the notebook runs, and write it to its folder."""

import csv
import time
from pathlib import Path

import pandas as pd
import pydantic
from IPython.display import HTML, display
from matplotlib import pyplot

from lib.core import continued, parameters, paths, progress, records
from lib.core.errors import UserError
from lib.core.records import Corpus, Json, Measured, Model, Results, StandIn
from lib.evaluation import provenance
from lib.report import figures, html, views

# JupyterLab has none of the pages' rules of style. They are nested, so that they touch nothing but what notebooks show.
LAB_STYLE = f"<style>{html.style('lab.css')}.jp-RenderedHTMLCommon {{{html.style('parts.css')}}}</style>"


class Recorder:
    """Collect a notebook's records.

    Args:
        notebook: The notebook's stem, such as `"01_baseline"`. Its parameters are checked and shown.
        namespace: The notebook's `globals()`, from which the values of its declared parameters are taken.

    Attributes:
        measured: What the notebook measures; it sets the fields of its class in `records.MEASURED`.
        results: The content of `results.json`.
        folder: The folder for the files.

    Raises:
        UserError: If a parameter has a value that is not allowed.
    """

    def __init__(self, notebook: str, namespace: dict):
        declared = parameters.declared(paths.NOTEBOOKS / f"{notebook}.ipynb")
        values = {name: parameter.check(namespace[name], "the parameters cell") for name, parameter in declared.items()}
        parameters.check_together(values, "the parameters cell")
        self.folder = paths.resolve(values.pop("output_dir"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.started = time.perf_counter()
        self.measured = records.MEASURED.get(notebook, Measured).model_construct()
        self.results = Results.model_construct(
            notebook=notebook,
            profile=values["profile"],
            parameters=values,
            machine=provenance.collect(),
            measured=self.measured,
        )
        self.page = views.Page(self.results, self.folder)
        if not progress.in_report_run():  # reports have their own style; JupyterLab aligns texts to the right
            display(HTML(LAB_STYLE))
        self.show("parameter_list")

    def used_model(self, model, causal_lm) -> None:
        """Record which model ran, and show the failed attempts before it.

        Args:
            model: The result of `pretrained.find`.
            causal_lm: The loaded model.
        """
        self.results.models.append(
            Model(
                name=model.name,
                source=model.source,
                parameters=causal_lm.count_params(),
                attempts=[str(attempt) for attempt in model.attempts],
            )
        )
        self._stand_in(*model.stand_ins)
        self.show("model", number=len(self.results.models) - 1)

    def used_corpus(self, corpus, requested: str) -> None:
        """Record which texts were used, and show how many were found, dropped and kept.

        Args:
            corpus: A `Corpus` of `lib.data`.
            requested: The name of the requested corpus.
        """
        self.results.corpora.append(
            Corpus(
                name=corpus.name,
                source=corpus.source,
                licence=corpus.licence,
                sha256=corpus.sha256,
                counts=corpus.counts,
                attempts=corpus.attempts,
            )
        )
        if corpus.is_stand_in:
            self._stand_in(StandIn(used=corpus.name, requested=requested))
        self.show("corpus", number=len(self.results.corpora) - 1)

    def used_results(self, *others: Results) -> None:
        """Record the models, texts and stand-ins behind the results of other notebooks."""
        for other in others:
            self.results.models += [model for model in other.models if model not in self.results.models]
            self.results.corpora += [corpus for corpus in other.corpora if corpus not in self.results.corpora]
            self._stand_in(*other.stand_ins)

    def _stand_in(self, *stand_ins: StandIn) -> None:
        self.results.stand_ins += [one for one in stand_ins if one not in self.results.stand_ins]

    def show(self, view: str, **options: Json) -> None:
        """Show a view.

        Args:
            view: A name in `views.VIEWS`.
            **options: The view's options.
        """
        page = self.page.show(view, **options)
        if page:
            bundle = {views.MIME: {"view": view, "options": options}, "text/html": page}
            display(bundle, raw=True)

    def table(self, name: str, table: pd.DataFrame, caption: str = "") -> None:
        """Write a table to `<name>.csv` and show it unchanged.

        Args:
            name: The file's stem.
            table: The table.
            caption: Shown above it.
        """
        self.add_file(name, table)
        self.show_table(table, caption)

    def show_table(self, table: pd.DataFrame, caption: str = "") -> None:
        """Show a table unchanged."""
        rows = table.astype(object).where(table.notna(), None).to_dict("records")
        self.show(
            "table", rows=[{str(name): _plain(value) for name, value in row.items()} for row in rows], caption=caption
        )

    def show_text(self, text: str, kind: str = "") -> None:
        """Show a paragraph; `kind` is `"note"` for small print."""
        self.show("text", text=text, kind=kind)

    def show_picture(self, name: str, figure, alt: str, caption: str) -> None:
        """Write a figure to `figures/<name>.svg` and show it.

        Args:
            name: The file's stem.
            figure: A matplotlib figure.
            alt: A description of the figure, for readers who cannot see it.
            caption: Shown below it.
        """
        file = f"figures/{name}.svg"
        (self.folder / "figures").mkdir(exist_ok=True)
        figures.save(figure, self.folder / file)
        pyplot.close(figure)  # otherwise JupyterLab shows it again
        self.results.figures.append(file)
        self.show("picture", file=file, alt=alt, caption=caption)

    def add_file(self, name: str, table: pd.DataFrame) -> None:
        """Write a table to `<name>.csv` without showing it."""
        table.to_csv(self.folder / f"{name}.csv", index=False, quoting=csv.QUOTE_NONNUMERIC, errors="backslashreplace")

    def finish(self, answer: str | dict[str, str] = "") -> None:
        """Show the answer and the environment, and write `results.json`.

        Args:
            answer: The notebook's finding, if `answers.ANSWERS` has no function for it: in English, or by language.

        Raises:
            UserError: If a required figure is missing from the records or has the wrong type.
        """
        self.results.machine = provenance.collect()
        if answer:
            self.results.answer = {"en": answer} if isinstance(answer, str) else answer
        self.results.continued_trainings = continued.trainings
        self.results.minutes = (time.perf_counter() - self.started) / 60
        results = self.complete()
        self.show("answer")
        self.show("environment")
        write(self.folder, results)

    def complete(self) -> Results:
        """Return the results, with all fields checked.

        Raises:
            UserError: If a field is missing or has the wrong type.
        """
        measured = self.measured.__dict__ | (self.measured.__pydantic_extra__ or {})
        try:
            return Results.model_validate(self.results.__dict__ | {"measured": measured})
        except pydantic.ValidationError as error:
            raise UserError(f"The results of {self.results.notebook} are not whole: {records.fault(error)}") from None


def write(folder: Path, results: Results) -> None:
    """Write `results.json` into a report's folder."""
    text = records.dump(results)
    (folder / "results.json").write_text(text, encoding="utf-8", errors="backslashreplace")


def _plain(value) -> Json:
    """Convert a value of a table for JSON: NumPy's numbers become Python's."""
    return value.item() if hasattr(value, "item") else value
