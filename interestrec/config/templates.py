"""Templates: the configurations of `configs/`, which are part of the package."""

from importlib import resources
from pathlib import Path

from interestrec.core.choices import suggestion
from interestrec.core.errors import CannotCreateError, ConfigError, from_os_error


def template_names() -> list[str]:
    """Return the template names for `interestrec init`."""
    directory = resources.files("interestrec") / "configs"
    return sorted(Path(entry.name).stem for entry in directory.iterdir() if entry.name.endswith(".yaml"))


def template_text(name: str) -> str:
    """Return the text of a template.

    Raises:
        ConfigError: the template does not exist.
    """
    names = template_names()
    if name not in names:
        raise ConfigError(f"unknown template '{name}'{suggestion(name, names)}; choose from: {', '.join(names)}")
    return (resources.files("interestrec") / "configs" / f"{name}.yaml").read_text(encoding="utf-8")


def write_template(name: str, to: Path) -> None:
    """Write a template to a new file.

    Raises:
        ConfigError: the template does not exist.
        CannotCreateError: the file exists already; it is never overwritten.
    """
    text = template_text(name)
    try:
        with to.open("x", encoding="utf-8") as target:
            target.write(text)
    except FileExistsError as error:
        raise CannotCreateError(
            f"{to}: the file exists already; move it away or choose another file with --to"
        ) from error
    except OSError as error:
        raise from_os_error(error, to) from error
