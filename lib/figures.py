"""The figures of the reports. Each function returns a matplotlib figure and its alternative text."""

import matplotlib
import matplotlib.pyplot as plt
import pandas as pd

from lib import timing

matplotlib.rcParams.update(
    {
        "figure.figsize": (7.5, 3.4),
        "figure.dpi": 150,
        "savefig.bbox": "tight",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.alpha": 0.25,
        "font.size": 10,
        "legend.frameon": False,
    }
)
BLUE, ORANGE, GREY = "#2f6db3", "#d9822b", "#9aa0a8"


def call_times(rows: list[dict]):
    """The seconds of each timed call, the first one in another colour.

    Args:
        rows: Rows of `timing.measure`; the first calls and the warm ones are drawn.
    """
    heights = [1 + len(row["samples"][timing.WARM]) for row in rows]
    figure, axes = plt.subplots(
        len(rows), figsize=(7.5, 0.8 + sum(0.45 + 0.25 * height for height in heights)), sharex=True, squeeze=False
    )
    told = []
    for row, axis in zip(rows, axes[:, 0], strict=True):
        seconds = row["samples"][timing.COLD] + row["samples"][timing.WARM]
        axis.barh(range(1, len(seconds) + 1), seconds, color=[ORANGE] + [BLUE] * (len(seconds) - 1))
        axis.set_yticks(range(1, len(seconds) + 1), [f"call {call}" for call in range(1, len(seconds) + 1)])
        axis.invert_yaxis()
        axis.set_title(row["label"], loc="left", fontsize=10)
        axis.grid(axis="y", visible=False)
        told.append(f"{row['label']}: {', '.join(f'{second:.1f}' for second in seconds)}")
    axes[-1, 0].set_xlabel("seconds")
    figure.tight_layout()
    return figure, f"Bar chart of the seconds of each call. {'; '.join(told)}. The first call compiles."


def loss_curve(steps: pd.DataFrame):
    """The training loss by step, with the means that Keras prints.

    Args:
        steps: `training.StepLog.table()`.
    """
    figure, axes = plt.subplots()
    axes.plot(steps["step"], steps["loss"], color=GREY, linewidth=1, label="each step (padding included)")
    axes.plot(steps["step"], steps["mean_loss"], color=BLUE, label="mean so far, as Keras prints it")
    axes.plot(steps["step"], steps["mean_token_loss"], color=ORANGE, label="mean so far, per token")
    axes.set(xlabel="step", ylabel="loss (nats)", ylim=(0, None))
    axes.legend()
    first, last = steps.iloc[0], steps.iloc[-1]
    return figure, (
        f"Training loss by step. The mean per token starts at {first['mean_token_loss']:.2f} and ends at "
        f"{last['mean_token_loss']:.2f}; as Keras prints it, it ends at {last['mean_loss']:.2f}."
    )


def repetition(samples: pd.DataFrame):
    """rep-4 by prompt and method, the mean over a method's texts.

    Args:
        samples: Rows with `prompt`, `method` and `rep_4`.
    """
    figure, axes = plt.subplots()
    table = samples.pivot_table(index="prompt", columns="method", values="rep_4", sort=False)
    table.plot.barh(ax=axes, color=[ORANGE, BLUE])
    axes.invert_yaxis()
    axes.set(xlabel="rep-4: four-word phrases that occurred before in the same text (%)", ylabel="", xlim=(0, 100))
    axes.grid(axis="y", visible=False)
    axes.legend(title=None)
    told = ", ".join(f"{method} {mean:.0f} percent" for method, mean in table.mean().items())
    return figure, f"Bar chart of rep-4 by prompt. Means: {told}."


def speed(post_seconds: list[float], cold: list[float], warm: list[float]):
    """The time of a call before and after fine-tuning: as the post timed it, and cold and warm here.

    Args:
        post_seconds: The post's two times.
        cold: The cold calls before and after.
        warm: The warm calls before and after.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.5, 3.2))
    left.bar(["before", "after"], post_seconds, 0.5, color=GREY)
    left.set(title="Blog post, as it timed", ylabel="seconds for one call")
    right.bar([-0.2, 0.8], cold, 0.4, color=ORANGE, label="cold: compiles")
    right.bar([0.2, 1.2], warm, 0.4, color=BLUE, label="warm")
    right.set(title="Here", ylim=(0, 1.35 * max(cold)))
    right.set_xticks([0, 1], ["before", "after"])
    right.legend()
    told = [" and ".join(f"{seconds:.1f}" for seconds in pair) for pair in (post_seconds, cold, warm)]
    return figure, f"Seconds before and after fine-tuning. Post: {told[0]}. Here, cold: {told[1]}; warm: {told[2]}."


def effects(losses: dict[str, tuple[float, float]], repeated: dict[str, float]):
    """What fine-tuning and the sampler change.

    Args:
        losses: Held-out loss per token before and after, by corpus.
        repeated: rep-4 in percent, by sampler.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.5, 3.2))
    for index, (when, colour) in enumerate((("before", GREY), ("after", BLUE))):
        heights = [pair[index] for pair in losses.values()]
        left.bar([place + 0.4 * index - 0.2 for place in range(len(losses))], heights, 0.4, color=colour, label=when)
    left.set(title="Held-out loss per token (nats)", ylim=(0, 1.35 * max(max(pair) for pair in losses.values())))
    left.set_xticks(range(len(losses)), list(losses))
    left.legend(ncols=2)
    right.bar(list(repeated), list(repeated.values()), 0.5, color=[ORANGE, BLUE])
    right.set(title="Repeated four-word phrases (%)", ylim=(0, 100))
    told = ", ".join(f"{name} {before:.2f} to {after:.2f}" for name, (before, after) in losses.items())
    shares = ", ".join(f"{name} {share:.0f}" for name, share in repeated.items())
    return figure, f"Left: held-out loss per token, {told}. Right: percent of four-word phrases repeated, {shares}."
