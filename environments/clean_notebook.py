"""Take outputs and traces of a kernel out of a notebook, from standard input to standard output.

Git asks for it (`.gitattributes`; `make env` says how it is started): so notebooks that were run
in a clone are not changed in its eyes.
"""

import json
import sys

PYTHON = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def cleaned(text: str) -> str:
    """The notebook as it was before it was run; what is none is left as it is."""
    try:
        notebook = json.loads(text)
        for cell in notebook["cells"]:
            cell["metadata"] = {}
            if cell["cell_type"] == "code":
                cell |= {"execution_count": None, "outputs": []}
        notebook["metadata"] = PYTHON
    except (ValueError, TypeError, KeyError):
        return text
    return json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.buffer.write(cleaned(sys.stdin.buffer.read().decode()).encode())
