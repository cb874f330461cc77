"""Names and sentences of a demo: which teams work on what, with which models, data and numbers."""

from dataclasses import dataclass

TEAMS = ("vision", "language", "forecasting", "risk", "recommendations", "speech")
PEOPLE = ("ana", "bruno", "chen", "dora", "elif", "farid", "greta", "hiro", "ines", "jonas", "kavya", "luca")
STAGES = ("exploration", "baseline", "tuning", "ablation", "candidate")
QUALITIES = ("poor", "fair", "good", "great run", "fantastic run")
# Nearly every run was started by one of these, and none by both.
STARTERS = (("trigger", "schedule"), ("notebook", "explore.ipynb"))
# What teams add over the years: 500 tags and 200 metrics, of which a run has one at most.
_SUBJECTS = (
    *("aug", "batch", "calib", "cache", "ckpt", "data", "dedup", "drift", "embed", "eval", "export", "fold", "freeze"),
    *("head", "host", "label", "mask", "mixup", "optim", "prune", "quant", "review", "sched", "token", "warmup"),
)
_ASPECTS = (
    *("by", "config", "date", "dtype", "id", "kind", "level", "mode", "name", "note"),
    *("owner", "policy", "ref", "scope", "seed", "size", "source", "state", "step", "version"),
)
RARE_TAGS = tuple(f"{subject}_{aspect}" for subject in _SUBJECTS for aspect in _ASPECTS)
_PARTS = ("train", "val", "test", "holdout", "shadow", "replay", "canary", "night", "edge", "batch")
_SCORES = (
    *("bias", "brier", "coverage", "drift", "entropy", "f2", "gain", "hinge", "kappa", "kl"),
    *("latency", "lift", "mae", "margin", "mcc", "precision", "psi", "r2", "recall", "regret"),
)
RARE_METRICS = tuple(f"{part}_{score}" for part in _PARTS for score in _SCORES)


@dataclass(frozen=True)
class Task:
    """What a team trains: its models and data sets, its script, its params and its metrics (name, from, to)."""

    name: str
    team: str
    models: tuple[str, ...]
    datasets: tuple[str, ...]
    script: str
    metrics: tuple[tuple[str, float, float], ...]


TASKS = (
    Task(
        "churn",
        "risk",
        ("xgboost", "lightgbm", "logistic-regression"),
        ("telco-2025", "telco-2026"),
        "train.py",
        (("auc", 0.5, 0.93), ("logloss", 0.69, 0.21)),
    ),
    Task(
        "defect-detection",
        "vision",
        ("resnet50", "efficientnet-b3", "yolov8"),
        ("line-a", "line-b", "line-c"),
        "train.py",
        (("loss", 2.3, 0.08), ("accuracy", 0.1, 0.98)),
    ),
    Task(
        "sentiment",
        "language",
        ("bert-base", "roberta-large", "distilbert"),
        ("reviews-it", "reviews-en"),
        "finetune.py",
        (("loss", 1.1, 0.15), ("f1", 0.3, 0.94)),
    ),
    Task(
        "demand-forecast",
        "forecasting",
        ("prophet", "nbeats", "seasonal-naive"),
        ("stores-daily", "stores-weekly"),
        "forecast.py",
        (("mape", 0.6, 0.07), ("rmse", 40.0, 6.0)),
    ),
    Task(
        "next-basket",
        "recommendations",
        ("als", "gru4rec", "two-tower"),
        ("baskets-90d", "baskets-365d"),
        "train.py",
        (("ndcg", 0.05, 0.42), ("loss", 6.0, 1.7)),
    ),
    Task(
        "speech-commands",
        "speech",
        ("wav2vec2", "conformer-s", "cnn-mel"),
        ("commands-v2", "call-center"),
        "train.py",
        (("wer", 0.9, 0.08), ("loss", 3.2, 0.3)),
    ),
    Task(
        "credit-scoring",
        "risk",
        ("catboost", "random-forest", "scorecard"),
        ("loans-2024", "loans-2025"),
        "score.py",
        (("gini", 0.1, 0.71), ("ks", 0.05, 0.5)),
    ),
    Task(
        "document-layout",
        "vision",
        ("layoutlm", "detr", "unet"),
        ("invoices", "contracts"),
        "segment.py",
        (("iou", 0.2, 0.89), ("loss", 1.9, 0.2)),
    ),
)
VARIANTS = ("", "-eu", "-it", "-v2", "-mobile", "-nightly", "-distill", "-small", "-large", "-2026")
OPTIMIZERS = ("adam", "adamw", "sgd", "lamb")
LEARNING_RATES = (0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001)
BATCH_SIZES = (16, 32, 64, 128, 256)

# With {model}, {dataset} and {rate}.
DESCRIPTIONS = (
    "Baseline of {model} on {dataset}, nothing tuned yet.",
    "Does {model} hold up on {dataset} with learning rate {rate}?",
    "Repeats last week's run on {dataset} after the **label fix**.",
    "Warm start from the previous {model}; watch the first epochs.",
    "Ablation: {model} without augmentation.",
    "Candidate for release: {model} on {dataset}.",
)
ERRORS = (
    ("CUDA out of memory. Tried to allocate 2.40 GiB.", "The script ended with exit code 1."),
    ("ValueError: Input contains NaN, infinity or a value too large.", "The script ended with exit code 1."),
    (
        "FileNotFoundError: [Errno 2] No such file or directory: 'data/train.parquet'",
        "The script ended with exit code 1.",
    ),
    ("KeyError: 'label'", "The script ended with exit code 1."),
)
STEPS = ("prepare", "train", "evaluate", "register", "report")
