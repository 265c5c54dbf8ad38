"""Runs the Swin-T that ``archdsl compile`` wrote, on a picture drawn here.

The compiled file is ordinary PyTorch: nothing below imports archdsl.

    archdsl compile specs/swin_t.arch -o build/demo/swin_t.py
    python examples/demo.py build/demo/swin_t.py
"""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

SIZE = 224
MEAN = (0.485, 0.456, 0.406)  # of ImageNet, per channel
STD = (0.229, 0.224, 0.225)


def load_class(path: Path, name: str) -> type[nn.Module]:
    """The class ``name`` of the Python file at ``path``."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        sys.exit(f"{path}: not a Python file; run `make demo`")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    cls: type[nn.Module] = getattr(module, name)
    return cls


def draw_boat() -> Image.Image:
    """A sailing boat at sea, ``SIZE`` pixels square."""
    picture = Image.new("RGB", (SIZE, SIZE), "#9fd3f0")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((156, 20, 200, 64), fill="#ffd75e")  # sun
    draw.rectangle((0, 150, SIZE, SIZE), fill="#1d5f8a")  # sea
    draw.polygon(((112, 30), (112, 138), (48, 138)), fill="#ffffff")  # main sail
    draw.polygon(((120, 48), (120, 138), (166, 138)), fill="#e4572e")  # jib
    draw.polygon(((40, 146), (184, 146), (160, 176), (64, 176)), fill="#6b3f22")  # hull
    for y in (188, 200, 212):
        draw.line((0, y, SIZE, y), fill="#2f7cae", width=2)  # waves
    return picture


def to_tensor(picture: Image.Image) -> Tensor:
    """The picture as a normalised batch of one, ``[1, 3, SIZE, SIZE]``."""
    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1) / 255
    mean, std = (torch.tensor(x).view(3, 1, 1) for x in (MEAN, STD))
    return ((pixels - mean) / std).unsqueeze(0)


def main() -> None:
    """Builds the model, shows it the picture and prints what it says."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "build/demo/swin_t.py")
    torch.manual_seed(0)
    model = load_class(path, "SwinT")().eval()
    picture = draw_boat()
    picture.save(path.with_name("picture.png"))
    with torch.inference_mode():
        logits = model(to_tensor(picture))
    best = logits.softmax(-1)[0].topk(5)
    print(f"model       {type(model).__name__}, from {path}")
    print(f"parameters  {sum(p.numel() for p in model.parameters()):,}")
    print(f"input       {path.with_name('picture.png')}, [1, 3, {SIZE}, {SIZE}]")
    print(f"output      {list(logits.shape)}")
    print("top 5       class  probability")
    for index, share in zip(best.indices.tolist(), best.values.tolist(), strict=True):
        print(f"            {index:5}  {share:.4f}")
    print("The weights are random, not trained: the five classes mean nothing.")


if __name__ == "__main__":
    main()
