# How LiveCodeBench judges programs.
HEADER = "".join(
    f"from {name} import *\n"
    for name in (
        "string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics", "itertools",
        "functools", "operator", "io", "sys", "json", "builtins", "typing",
    )
) + (
    "import string, re, datetime, collections, heapq, bisect, copy, math, random, statistics, itertools, functools, operator\n"
    "import io, sys, json\n"
    "sys.setrecursionlimit(50000)\n"
)


def without_main_guard(body):
    """A last "if __name__ == '__main__':" gives its content: the name will be another."""
    if body and isinstance(body[-1], ast.If) and ast.unparse(body[-1].test) == "__name__ == '__main__'":
        return body[:-1] + body[-1].body
    return body


def as_function(code):
    """The program as a function without arguments, so that each test runs it from its beginning."""
    body = without_main_guard(ast.parse(code).body)
    imports = [node for node in body if isinstance(node, (ast.Import, ast.ImportFrom))]
    others = [node for node in body if not isinstance(node, (ast.Import, ast.ImportFrom))] or [ast.Pass()]
    function = ast.parse("def program():\n    pass").body[0]
    function.body = others
    return HEADER + "\n".join(ast.unparse(ast.fix_missing_locations(node)) for node in imports + [function])


def run_with_input(function, text):
    """What a program writes to standard output, given this as its standard input."""
    # The file is the process's standard input as well, for programs that open it by its number.
    file = os.memfd_create("input")
    os.write(file, text.encode())
    os.lseek(file, 0, os.SEEK_SET)
    if file != 0:  # It is 0 when the program has closed its input.
        os.dup2(file, 0)
        os.close(file)
    written = io.BytesIO()
    sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False), encoding="utf-8")
    sys.stdout = io.TextIOWrapper(written, encoding="utf-8", write_through=True)
    try:
        function()
    except SystemExit:
        pass
    sys.stdout.flush()
    return written.getvalue().decode("utf-8", "replace")


def as_decimals(line):
    try:
        return [decimal.Decimal(word) for word in line.split()]
    except decimal.InvalidOperation:
        return None


def same_line(given, right):
    if given == right:
        return True
    numbers = as_decimals(given)
    return numbers is not None and numbers == as_decimals(right)


def same_output(given, right):
    given_lines = [line.strip() for line in given.strip().split("\n")]
    right_lines = [line.strip() for line in right.strip().split("\n")]
    return len(given_lines) == len(right_lines) and all(map(same_line, given_lines, right_lines))


def check_livecodebench(job):
    code = job["reply"]
    tests = job["tests"]
    seconds = job["seconds"]

    def body():
        names = {"__name__": "candidate"}
        if job["func_name"] is None:
            timed(seconds, exec, compile(as_function(code), "candidate", "exec"), names)
            for number, (text, right) in enumerate(tests):
                given = timed(seconds, run_with_input, names["program"], text)
                if not same_output(given, right):
                    return verdict("fail", f"test {number + 1} wrote {given[:100]!r} and not {right[:100]!r}")
            return verdict("pass")
        timed(seconds, exec, compile(HEADER + code, "candidate", "exec"), names)
        owner = names["Solution"]() if "Solution" in names else None
        function = names[job["func_name"]] if owner is None else getattr(owner, job["func_name"])
        for number, (text, right) in enumerate(tests):
            arguments = [json.loads(line) for line in text.split("\n")]
            given = timed(seconds, function, *arguments)
            given = list(given) if isinstance(given, tuple) else given
            if given != json.loads(right):
                return verdict("fail", f"test {number + 1} gave {repr(given)[:100]} and not {right[:100]}")
        return verdict("pass")

    return limited(body, (seconds + 1) * len(tests) + 5, job["memory"], job["is_alone"])
