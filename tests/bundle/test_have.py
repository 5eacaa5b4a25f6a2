import pytest

from lib.bundle import have
from lib.core.errors import UserError


def test_what_pip_prints_is_read(tmp_path):
    file = tmp_path / "list.txt"
    file.write_text(
        "# made on the box\n\njax==0.10.2\nJinja2==3.1.6  # a comment\nruamel.yaml_clib == 0.2.8\n"
        "-e git+https://example.org/x.git@abc#egg=x\nnumpy @ file:///conda/numpy\ntorch==2.9.0+cu130\nnvidia-nccl\n"
    )
    assert have.read(file) == {
        "jax": "0.10.2",
        "jinja2": "3.1.6",
        "ruamel-yaml-clib": "0.2.8",
        "numpy": "",
        "torch": "2.9.0+cu130",
        "nvidia-nccl": "",
    }


@pytest.mark.parametrize("line", ["jax>=0.4", "Package    Version", "jax 0.4", "==1"])
def test_another_line_is_refused_with_its_number(tmp_path, line):
    file = tmp_path / "list.txt"
    file.write_text(f"numpy==1.0\n{line}\n")
    with pytest.raises(UserError, match=r"whose line 2 is '.*', not name==version.*pip list --format=freeze"):
        have.read(file)


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(UserError, match=r"HAVE is .*none.txt, which cannot be read: No such file"):
        have.read(tmp_path / "none.txt")
    (tmp_path / "utf16.txt").write_text("numpy==1.0", encoding="utf-16")
    with pytest.raises(UserError, match="not UTF-8"):
        have.read(tmp_path / "utf16.txt")
