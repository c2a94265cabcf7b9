"""The configurations of `configs/`, which ship with the package, as templates."""

from importlib import resources
from pathlib import Path

from interestrec.core.choices import suggestion
from interestrec.core.errors import CannotCreateError, ConfigError, from_os_error


def template_names() -> list[str]:
    """Names that `interestrec init` takes."""
    directory = resources.files("interestrec") / "configs"
    return sorted(Path(entry.name).stem for entry in directory.iterdir() if entry.name.endswith(".yaml"))


def write_template(name: str, to: Path) -> None:
    """Write a template to a new file.

    Raises:
        ConfigError: no template of this name.
        CannotCreateError: the file is there already; it is never overwritten.
    """
    names = template_names()
    if name not in names:
        raise ConfigError(f"unknown template '{name}'{suggestion(name, names)}; choose from: {', '.join(names)}")
    text = (resources.files("interestrec") / "configs" / f"{name}.yaml").read_text(encoding="utf-8")
    try:
        with to.open("x", encoding="utf-8") as target:
            target.write(text)
    except FileExistsError as error:
        raise CannotCreateError(f"{to}: exists already; move it away or give another file with --to") from error
    except OSError as error:
        raise from_os_error(error, to) from error
