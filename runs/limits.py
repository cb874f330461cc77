"""How long names may be and how many things may hang on a run, all in one place.

Azure ML's limits (its `resource-limits-capacity`) are the floor: what fitted there fits
here. Where its users complained of a cap, ours is higher. Limits that an operator may
change (bytes, files) are settings instead.
"""

RUN_ID_LENGTH = 256
DISPLAY_NAME_LENGTH = 256
EXPERIMENT_NAME_LENGTH = 500  # 255 there; MLflow allows 500
WORKSPACE_NAME_LENGTH = 64
COMPUTE_TARGET_NAME_LENGTH = 64
DESCRIPTION_LENGTH = 50_000  # 5,000 there
REASON_LENGTH = 4_000
ERROR_LENGTH = 20_000

TAGS_PER_RUN = 500  # 50 there
PROPERTIES_PER_RUN = 500  # 50 there
TAG_KEY_LENGTH = 250  # 100 there
TAG_VALUE_LENGTH = 8_000  # 1,000 there
PARAMS_PER_RUN = 2_000
PARAM_NAME_LENGTH = 250
PARAM_VALUE_LENGTH = 6_000
METRICS_PER_RUN = 10_000  # 50 there
METRIC_NAME_LENGTH = 250
METRIC_TEXT_LENGTH = 65_536
METRIC_POINTS_PER_BATCH = 10_000  # 250 there

CHILDREN_PER_REQUEST = 1_000  # 100 there
IMPORTED_RUNS = 1_000  # of one request
TREE_DEPTH = 20
RUNS_PER_TREE = 100_000
ARGUMENTS_PER_RUN = 1_000
ARGUMENT_LENGTH = 32_768
ENVIRONMENT_VARIABLES_PER_RUN = 500
GIT_PATCH_BYTES = 1_048_576
ARTIFACT_PATH_LENGTH = 1_024
ARTIFACTS_PER_RUN = 100_000
PIPELINE_NAME_LENGTH = 250
PIPELINE_LABEL_LENGTH = 100
RUN_DURATION_SECONDS = 366 * 24 * 3600  # 30 days there
PRIORITY = 1_000  # from -1000 to 1000; greater goes first

PIPELINE_LENGTH = 4_000_000  # characters of a definition
STEP_NAME_LENGTH = 100
PIPELINE_STEPS = 5_000  # step runs of one pipeline run, each value of a fan-out counted

QUERY_LENGTH = 4_000  # characters of a search
QUERY_TERMS = 100
QUERY_DEPTH = 20
PAGE_ROWS = 1_000  # rows of one page of a list, at most
COLUMNS_PER_TABLE = 60
CHARTS_PER_TABLE = 12
VIEW_NAME_LENGTH = 100
VIEW_QUERY_LENGTH = 8_000
VIEWS_PER_EXPERIMENT = 200
BULK_RUNS = 10_000  # runs that one press of a button may archive
BULK_SLOW_RUNS = 1_000  # runs that one press of a button may cancel or tag, one after the other
