"""How a picture looks.

Fills are light tints of the Okabe-Ito colours, which people who do not see red or green
can tell apart; black text on each of them stays legible in greyscale, and no colour
says what a label does not say too.
"""

from __future__ import annotations

from archdsl.ir.graph import Payload

FONT = "Helvetica"
INK, FAINT = "#1f2933", "#52606d"
PLAIN = "#ffffff"
_FILLS = {
    "attention": "#f7cf9b",
    "recurrence": "#e6c3da",
    "convolution and pooling": "#b9d9f0",
    "linear": "#b5e0cf",
    "normalisation": "#f8f2bd",
    "activation": "#f6d5c5",
    "reduction": "#dcdff2",
    "sources": "#e3f1fa",
    "tokens and positions": "#e3f1fa",
    "axes": "#ededed",
    "joining and cutting": "#ededed",
    "regularisation": "#ededed",
    "arithmetic": "#ffffff",
}
SIGNS = {"add": "+", "subtract": "\u2212", "multiply": "×", "divide": "÷"}

GRAPH = (
    'rankdir="TB", nodesep="0.35", ranksep="0.26", pad="0.2", margin="0", '
    f'labelloc="t", labeljust="l", fontname="{FONT}", fontsize="13", '
    f'fontcolor="{INK}", bgcolor="white", splines="true", outputorder="edgesfirst"'
)
NODE = (
    f'shape="box", style="rounded,filled", fillcolor="{PLAIN}", color="#7b8794", '
    f'penwidth="0.8", fontname="{FONT}", fontsize="11", fontcolor="{INK}", '
    'margin="0.12,0.045", height="0.3", width="0.6"'
)
EDGE = (
    f'color="{FAINT}", penwidth="0.9", arrowsize="0.55", fontname="{FONT}", '
    f'fontsize="9", fontcolor="{FAINT}"'
)
_FILLED = 'margin="9", style="rounded,filled"'
BLOCK = f'{_FILLED}, fillcolor="#f5f7fa", color="#9aa5b1", penwidth="1.0"'
ASIDE = 'style="invis", margin="12"'
APART = 'style="invis", margin="5"'  # around a frame, from that beside it
SCOPE = f'{_FILLED}, fillcolor="#fbfcfd", color="#cbd2d9", penwidth="0.8"'
FRAME = 'margin="9", style="rounded,dashed", color="#7b8794", penwidth="0.9"'
CLOSED = 'color="#3e4c59", penwidth="1.5", fillcolor="#eef1f5"'
PILL = (
    'style="rounded,filled", fillcolor="#3e4c59", color="#3e4c59", '
    'fontcolor="white", margin="0.16,0.05"'
)
CIRCLE = (
    'shape="circle", style="filled", width="0.26", height="0.26", '
    'fixedsize="true", margin="0", fontsize="13"'
)
FORK = (
    f'shape="point", width="0.05", height="0.05", color="{FAINT}", fillcolor="{FAINT}"'
)
HEADING = 'shape="plain", style="", margin="0"'
BARE = 'shape="plain", style="", margin="0"'
LUMP = 'style="rounded,dashed"'


def fill(payload: Payload) -> str:
    """A box in the colour of its op."""
    return f'fillcolor="{colour(payload)}"'


def colour(payload: Payload) -> str:
    """The colour of an op's group; white for groups of others."""
    return _FILLS.get(str(getattr(payload, "group", "")), PLAIN)
