"""The records that the bench's page is made from, read from the rows that `python -m bench` wrote."""

from bench import costs
from lib.core.records import (
    Bench,
    BenchGpu,
    BenchPeer,
    BenchWork,
    CallCosts,
    Comparison,
    CostModel,
    GpuAssumptions,
    GpuEstimate,
    GrowthPoint,
    Precision,
)
from lib.models import memory

POST, HUGGING_FACE = "the post's lines", "transformers"  # KerasHub on TensorFlow; Hugging Face, on PyTorch
LIMIT = "the memory-bandwidth limit"
# On a GPU: KerasHub as it is; transformers with a static cache and a compiled step; training with a compiled model.
KERASHUB_JAX, STATIC, COMPILED = "KerasHub on JAX", "transformers, static cache, compiled", "transformers, compiled"
WEIGHT_BYTES = costs.FLOAT32 * memory.KNOWN["gpt2_base_en"].parameters
# By the names in `bench.json`.
WORKS = {
    "generate, batch 1": BenchWork.GENERATE_ONE,
    "generate, batch 8": BenchWork.GENERATE_EIGHT,
    "fine-tune on poems": BenchWork.TRAIN_POEMS,
    "fine-tune on poems, all in float32": BenchWork.TRAIN_POEMS,
    "fine-tune on prose": BenchWork.TRAIN_PROSE,
    "greedy and top-k over all prompts of 03": BenchWork.SAMPLERS,
    "train on full texts": BenchWork.TRAIN_FULL,
}
PEERS = {
    POST: BenchPeer.KERASHUB,
    f"{POST}, padded": BenchPeer.KERASHUB,
    f"{POST}, 8 calls one after another": BenchPeer.KERASHUB_CALLS,
    f"{POST}, with XLA": BenchPeer.KERASHUB_XLA,
    HUGGING_FACE: BenchPeer.TRANSFORMERS,
    f"{HUGGING_FACE}, padded": BenchPeer.TRANSFORMERS_PADDED,
    f"{HUGGING_FACE}, packed": BenchPeer.TRANSFORMERS_PACKED,
    f"{HUGGING_FACE}, packed, bfloat16": BenchPeer.TRANSFORMERS_PACKED,
    LIMIT: BenchPeer.BANDWIDTH,
    KERASHUB_JAX: BenchPeer.KERASHUB_JAX,
    STATIC: BenchPeer.TRANSFORMERS_STATIC,
    COMPILED: BenchPeer.TRANSFORMERS_COMPILED,
}


def weight_bytes(precision: Precision) -> int:
    """Returns the bytes of the weights that generating reads, by the format of its products."""
    return WEIGHT_BYTES // 2 if precision is Precision.BFLOAT16 else WEIGHT_BYTES


def fill(measured: Bench, content: dict) -> None:
    """Fills the records of the bench's page with what `files.read` returned."""
    measured.measuring_minutes = content["machine"]["minutes"]
    measured.machine = {name: value for name, value in content["machine"].items() if name != "minutes"}
    measured.weight_bytes, measured.comparisons = WEIGHT_BYTES, comparisons(content["rows"])
    measured.gpu_assumptions, measured.gpu_estimates = gpu_assumptions(), gpu_estimates(costs.on_gpus())
    measured.growth = []
    if content["growth"]:
        model = costs.fit(content["growth"])
        measured.growth, measured.cost = growth(content["growth"], model), cost(model)
        measured.longest_call = longest_call(content["growth"], model)
    if content["gpu"]:
        measured.gpu = gpu(content["gpu"])


def gpu(told: dict) -> BenchGpu:
    """Returns the record of `gpu.json`."""
    left_out = [one | {"work": WORKS[one["work"]], "peer": PEERS.get(one["peer"])} for one in told["left_out"]]
    return BenchGpu(**(told | {"left_out": left_out}))


def comparisons(rows: list[dict]) -> list[Comparison]:
    """Returns the comparisons of `bench.json`."""
    return [
        Comparison(
            work=WORKS[row["work"]],
            peer=PEERS[row["peer"]],
            precision_here=row["precision_here"],
            precision_there=row["precision_there"],
            here=row["ours"],
            there=row["theirs"],
            target=float(row["target"].removeprefix(">=")) if row["target"] else None,
        )
        for row in rows
    ]


def growth(rows: list[dict], model: dict) -> list[GrowthPoint]:
    """Returns the points of `growth.json`, each with what the cost model says."""
    kept = ("by", "new_tokens", "batch", "parameters", "seconds")
    return [GrowthPoint(**{name: row[name] for name in kept}, fitted_seconds=costs.predict(model, row)) for row in rows]


def cost(model: dict) -> CostModel:
    """Returns the fitted cost model, the result of `costs.fit`."""
    return CostModel(**model)


def longest_call(rows: list[dict], model: dict) -> CallCosts:
    """Returns the costs of the longest call of a single text among the rows of `growth.json`."""
    longest = max((row for row in rows if row["batch"] == 1), key=lambda row: row["new_tokens"])
    parts = costs.parts(model, longest)
    shares = {what: 100 * seconds / sum(parts.values()) for what, seconds in parts.items()}
    return CallCosts(new_tokens=longest["new_tokens"], parameters=longest["parameters"], shares_percent=shares)


def gpu_assumptions() -> GpuAssumptions:
    """Returns what the estimates for GPUs assume."""
    return GpuAssumptions(
        new_tokens=costs.NEW_TOKENS,
        generated_texts=costs.GENERATED[0],
        generated_tokens=costs.GENERATED[1],
        trained_texts=costs.TRAINED[0],
        trained_tokens=costs.TRAINED[1],
        bandwidth_reached=costs.BANDWIDTH_REACHED,
        arithmetic_reached=costs.ARITHMETIC_REACHED,
        runtime_gib=memory.RUNTIME["GPU"] / memory.GIB,
    )


def gpu_estimates(rows: list[dict]) -> list[GpuEstimate]:
    """Returns the estimates of `costs.on_gpus`."""
    return [GpuEstimate(**{name: row[name] for name in GpuEstimate.model_fields}) for row in rows]
