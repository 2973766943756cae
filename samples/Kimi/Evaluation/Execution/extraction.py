def parses(code):
    try:
        ast.parse(code)
        return True
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False


def longest_code(text, seconds=30):
    """The longest run of consecutive lines, at least two, that is Python: most lines that are not blank, the first of several.

    No run crosses a line with ``` in it, which Python could only hold within a string.
    """
    lines = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text).split("\n")
    fences = [-1] + [i for i, line in enumerate(lines) if "```" in line] + [len(lines)]
    before = [0]
    for line in lines:
        before.append(before[-1] + bool(line.strip()))
    runs = []
    for begin, end in zip(fences, fences[1:]):
        for i in range(begin + 1, end):
            # Python does not begin with a line that is indented.
            if lines[i][:1] not in (" ", "\t"):
                runs.extend((before[i] - before[j + 1], i, j) for j in range(i + 1, end))
    deadline = time.monotonic() + seconds
    for negative_count, i, j in sorted(runs):
        if time.monotonic() > deadline:
            break
        code = "\n".join(lines[i:j + 1])
        if negative_count < 0 and parses(code):
            return code
    return next((line for line in lines if line.strip() and "```" not in line), "")


def needed_code(text, entry_point):
    """The code of a reply as EvalPlus takes it: imports, and the definitions that the entry point needs."""
    code = longest_code(text)
    if entry_point is None or not parses(code):
        return code
    imports, definitions = [], {}
    for node in ast.parse(code).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            imports.append(node)
        else:
            for name in names_of(node):
                # The first definition of a name is the one that counts.
                definitions.setdefault(name, node)
    needed, waiting = set(), [entry_point]
    while waiting:
        name = waiting.pop()
        if name in definitions and name not in needed:
            needed.add(name)
            waiting.extend(part.id for part in ast.walk(definitions[name]) if isinstance(part, ast.Name))
    kept = imports + sorted({definitions[name] for name in needed}, key=lambda node: node.lineno)
    return "\n".join(source_of(node, code) for node in kept) or code


def names_of(node):
    if isinstance(node, ast.ClassDef):
        return [node.name]
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return [node.name] if any(isinstance(part, ast.Return) for part in ast.walk(node)) else []
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return [part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)]
    return []


def source_of(node, code):
    first = min([node.lineno] + [decorator.lineno for decorator in getattr(node, "decorator_list", [])])
    return "\n".join(code.split("\n")[first - 1:node.end_lineno])


def check_script(job):
    """Runs the code of a reply, then tests that raise when it is wrong: the first HumanEval and MBPP."""
    code = needed_code(job["reply"], job["entry_point"])

    def body():
        names = {"__name__": "candidate"}
        exec(compile(code + "\n" + job["test"], "candidate", "exec"), names)
        return verdict("pass")

    answer = limited(body, job["seconds"], job["memory"], job["is_alone"])
    return {**answer, "extracted": plain(code), "scores": {"base": answer["outcome"] == "pass"}}
