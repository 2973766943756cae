# How EvalPlus 0.3.1 judges HumanEval+ and MBPP+.
LEAST_SECONDS = 4.0
TIMES_REFERENCE = 4.0
MOST_SECONDS = 60.0
RELATIVE = 1e-7
FLOAT_TOLERANCE = 1e-6

SETS = {
    "similar_elements", "find_char_long", "common_in_nested_lists", "extract_singly", "larg_nnum", "intersection_array",
    "find_dissimilar", "Diff",
}
NOT_NONE = {"check_str", "text_match_three", "text_starta_endb"}

# JSON has no tuples, sets and complex numbers: how the inputs of MBPP's tasks become them again.
TUPLE_ARGUMENTS = {
    2, 116, 132, 143, 222, 261, 273, 394, 399, 421, 424, 429, 470, 560, 579, 596, 616, 630, 726, 740, 744, 809,
}
LISTS_OF_TUPLES = {63, 64, 70, 94, 120, 237, 272, 299, 400, 409, 417, 438, 473, 614, 780}
FIRST_LIST_OF_TUPLES = {75, 413, 444, 753}
SECOND_TUPLE = {106, 750}
FIRST_TUPLE = {250, 307, 405, 446, 617, 720, 763, 808}
TUPLES_OF_TUPLES = {259, 401, 445}
ALL_TUPLES = {580, 615, 791}


def deep_tuple(value):
    return tuple(deep_tuple(item) for item in value) if isinstance(value, list) else value


def restored(task, arguments):
    """The arguments of one call with the types that MBPP+ means."""
    first, rest = (arguments[0], arguments[1:]) if arguments else (None, [])
    if task in TUPLE_ARGUMENTS:
        return [tuple(value) for value in arguments]
    if task in LISTS_OF_TUPLES:
        return [[tuple(value) for value in values] for values in arguments]
    if task in FIRST_LIST_OF_TUPLES:
        return [[tuple(value) for value in first], *rest[:1]]
    if task in SECOND_TUPLE:
        return [first, tuple(rest[0])]
    if task in FIRST_TUPLE:
        return [tuple(first), *rest]
    if task in TUPLES_OF_TUPLES:
        return [tuple(tuple(value) for value in values) for values in arguments]
    if task == 115:
        return [[set(value) if isinstance(value, list) and value else {} for value in first]]
    if task == 124:
        return [float(first), complex(rest[0])]
    if task == 252:
        return [complex(first)]
    if task == 278:
        return [tuple(tuple(value) if isinstance(value, list) else value for value in first)]
    if task == 722:
        return [{key: tuple(value) for key, value in first.items()}, *rest]
    if task in ALL_TUPLES:
        return [deep_tuple(value) for value in arguments]
    return arguments


def is_floats(value):
    return isinstance(value, float) or (
        isinstance(value, (list, tuple)) and len(value) > 0 and all(isinstance(item, float) for item in value))


def are_close(given, right, tolerance):
    if isinstance(right, (list, tuple)):
        return len(given) == len(right) and all(are_close(a, b, tolerance) for a, b in zip(given, right))
    if isinstance(right, dict) or isinstance(right, (str, bytes)) or right is None:
        return given == right
    return given == right or abs(given - right) <= tolerance + RELATIVE * abs(right)


def surface_of_pyramid(edge, height):
    return round(edge ** 2 + 2 * edge * math.sqrt((edge / 2) ** 2 + height ** 2))


def distance_of_digits(first, second):
    a, b = str(first), str(second)
    width = max(len(a), len(b))
    return sum(abs(int(x) - int(y)) for x, y in zip(a.zfill(width), b.zfill(width)))


def is_right(job, arguments, given, right, tolerance):
    """One output against the reference's, with the exceptions that EvalPlus makes."""
    name = job["entry_point"]
    is_equal = given == right
    if job["is_mbpp"]:
        if name == "are_equivalent":
            is_equal = True
        elif name == "sum_div":
            is_equal = is_equal or given == 0
        elif name == "surface_Area":
            is_equal = is_equal or abs(given - surface_of_pyramid(*arguments)) <= tolerance
        elif name == "digit_distance_nums":
            is_equal = is_equal or given == distance_of_digits(*arguments)
        elif name in SETS:
            is_equal = set(given) == set(right)
        elif name in NOT_NONE:
            is_equal = given == right if isinstance(given, bool) else right == (given is not None)
    elif name == "find_zero":
        value = sum(factor * given ** power for power, factor in enumerate(arguments[0]))
        return abs(value) <= tolerance
    if is_equal is True or tolerance == 0:
        return bool(is_equal)
    return type(given) is type(right) and are_close(given, right, tolerance)


def reference_of(job, inputs):
    """What the benchmark's own solution gives for each input, and how long it takes."""
    names = {"__name__": "reference"}
    exec(compile(job["prompt"] + job["canonical_solution"], "reference", "exec"), names)
    outputs, seconds = [], []
    for arguments in inputs:
        own = copy.deepcopy(arguments)
        begin = time.monotonic()
        output = names[job["entry_point"]](*own)
        seconds.append(time.monotonic() - begin)
        is_presence = job["is_mbpp"] and job["entry_point"] in NOT_NONE
        outputs.append(output is not None if is_presence else output)
    return outputs, seconds


def check_evalplus(job):
    code = needed_code(job["reply"], job["entry_point"])
    scores, answer = {"base": False, "plus": False}, None
    for name in ("base", "plus"):
        answer = check_inputs(job, code, job[name + "_input"])
        if answer["outcome"] != "pass":
            answer["detail"] = f"{name}: {answer['detail'] or answer['outcome']}"
            break
        scores[name] = True
    return {**answer, "extracted": plain(code), "scores": scores}


def check_inputs(job, code, inputs):
    if job["is_mbpp"]:
        inputs = [restored(job["number"], arguments) for arguments in inputs]
    outputs, seconds = reference_of(job, inputs)
    limits = [max(LEAST_SECONDS, TIMES_REFERENCE * each) for each in seconds]

    def body():
        names = {"__name__": "candidate"}
        exec(compile(code, "candidate", "exec"), names)
        tolerance = job["atol"]
        for i, arguments in enumerate(inputs):
            shown = repr(arguments)[:200]
            given = timed(limits[i], names[job["entry_point"]], *arguments)
            # As there, a tolerance once set holds for the inputs that follow.
            if tolerance == 0 and is_floats(outputs[i]):
                tolerance = FLOAT_TOLERANCE
            if not is_right(job, arguments, given, outputs[i], tolerance):
                return verdict("fail", f"{shown} gave {repr(given)[:100]} and not {repr(outputs[i])[:100]}")
        return verdict("pass")

    return limited(body, min(MOST_SECONDS, sum(limits)) + 1, job["memory"], job["is_alone"])
