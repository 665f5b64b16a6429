"""The dashboards, a file each."""

from slipway_dashboards.board import Board
from slipway_dashboards.boards.gateway import GATEWAY
from slipway_dashboards.boards.operator import OPERATOR
from slipway_dashboards.boards.rollout import ROLLOUT
from slipway_dashboards.boards.serving import SERVING
from slipway_dashboards.boards.system import SYSTEM
from slipway_dashboards.boards.training import TRAINING
from slipway_dashboards.boards.vector_store import VECTOR_STORE
from slipway_dashboards.boards.vision import VISION

BOARDS: tuple[Board, ...] = (
    ROLLOUT,
    SERVING,
    GATEWAY,
    TRAINING,
    VISION,
    VECTOR_STORE,
    SYSTEM,
    OPERATOR,
)
