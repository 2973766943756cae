#:property PublishAot=false

// Checks that the JIT puts the small methods of kernels where they are called, for every width of vectors and every kind of weight:
// dotnet run .ci/CheckInlining.cs -- <KimiLinear.dll, built for release>
//
// For another processor, "compile <KimiLinear.dll>" compiles there, with the variables that CompileAndRead sets, and
// "read <KimiLinear.dll> <listing> <name of the processor>" reads the listing here.
//
// A method with too many local variables gets no more of what it calls put in, without a word, and takes twice the time. So this
// compiles all kernels, as this processor would and as ones with fewer instructions, and reads the machine code for calls.
using System.Diagnostics;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Text.RegularExpressions;

string[] switches = ["", "DOTNET_EnableAVX512", "DOTNET_EnableAVXVNNI", "DOTNET_EnableAVX2", "DOTNET_EnableHWIntrinsic"];
switch (args)
{
    case ["compile", string library]:
        return Compile(library);
    case ["read", string library, string listing, string processor]:
        return Report(library, listing, processor);
    case [string library] when File.Exists(library):
        return switches.Sum(name => CompileAndRead(Path.GetFullPath(library), name)) == 0 ? 0 : 1;
    default:
        Console.Error.WriteLine("Usage: CheckInlining <KimiLinear.dll, built for release>");
        return 2;
}

static int CompileAndRead(string library, string switchedOff)
{
    string listing = Path.GetTempFileName();
    ProcessStartInfo start = new(Environment.ProcessPath!, ["compile", library]);
    start.Environment["DOTNET_TieredCompilation"] = "0";
    start.Environment["DOTNET_JitStdOutFile"] = listing;
    start.Environment["DOTNET_JitDisasm"] = "KimiLinear.*:*";
    if (switchedOff.Length > 0)
    {
        start.Environment[switchedOff] = "0";
    }

    using Process process = Process.Start(start)!;
    process.WaitForExit();
    string name = switchedOff.Length == 0 ? "this processor" : $"without {switchedOff["DOTNET_Enable".Length..]}";
    int result = process.ExitCode == 0 ? Report(library, listing, name) : process.ExitCode;
    File.Delete(listing);
    return result;
}

static int Report(string library, string listing, string name)
{
    HashSet<string> inlined = [.. Methods(Assembly.LoadFrom(Path.GetFullPath(library)))
        .GroupBy(method => $"{method.DeclaringType!.FullName}:{method.Name}")
        .Where(overloads => overloads.All(
            method => method.MethodImplementationFlags.HasFlag(MethodImplAttributes.AggressiveInlining)))
        .Select(overloads => overloads.Key)];
    (int methods, string[] calls) = Read(listing, inlined);
    Console.WriteLine($"{name}: {methods} methods");
    Array.ForEach(calls, call => Console.Error.WriteLine($"  not inlined: {call}"));
    if (methods == 0)
    {
        Console.Error.WriteLine("The listing is empty: this runtime lists no machine code.");
    }

    return methods == 0 || calls.Length > 0 ? 1 : 0;
}

// How many methods there are, and the calls of methods that should have been inlined.
static (int Methods, string[] Calls) Read(string listing, HashSet<string> inlined)
{
    const string Heading = "; Assembly listing for method ";
    int methods = 0;
    string caller = "";
    SortedDictionary<string, int> calls = new(StringComparer.Ordinal);
    foreach (string line in File.ReadLines(listing))
    {
        if (line.StartsWith(Heading, StringComparison.Ordinal))
        {
            caller = line[Heading.Length..];
            methods++;
        }
        else if (Regex.IsMatch(line, @"^\s+(blr|br)\s+x")
            && Regex.IsMatch(caller, @"\.(Panel|PackedQ4|PackedQ8|Strip)Kernel`.*\[.*128"))
        {
            // Listings for Arm do not name what is called; these call nothing.
            string call = $"something in {Short(caller)}";
            calls[call] = calls.GetValueOrDefault(call) + 1;
        }
        else if (Regex.Match(line, @"^\s+(?:call|tail\.jmp|jmp|bl|b|blr|br)\s+.*?\[?(KimiLinear\.\S.*)$") is { Success: true } match
            && inlined.Contains(NameOf(match.Groups[1].Value)))
        {
            string call = $"{NameOf(match.Groups[1].Value)} in {Short(caller)}";
            calls[call] = calls.GetValueOrDefault(call) + 1;
        }
    }

    return (methods, [.. calls.Select(call => $"{call.Key}, {call.Value} times")]);
}

// "A.B`1[C:D]:Name[E](F)" → "A.B`1:Name"
static string NameOf(string signature)
{
    int depth = 0, colon = -1, end = signature.Length, typeEnd = -1;
    for (int i = 0; i < signature.Length; i++)
    {
        char c = signature[i];
        if (depth == 0 && c == ':')
        {
            colon = i;
            typeEnd = typeEnd < 0 ? i : typeEnd;
        }
        else if (c == '[' && depth++ == 0)
        {
            if (colon >= 0)
            {
                end = i;
                break;
            }

            typeEnd = i;
        }
        else if (c == ']')
        {
            depth--;
        }
        else if (c == '(' && depth == 0)
        {
            end = i;
            break;
        }
    }

    return colon < 0 ? signature : $"{signature[..typeEnd]}:{signature[(colon + 1)..end]}";
}

static string Short(string signature) =>
    signature.Replace("KimiLinear.Backends.", "").Replace("System.Runtime.Intrinsics.", "");

static IEnumerable<MethodInfo> Methods(Assembly assembly) => Types(assembly).SelectMany(type => type.GetMethods(
    BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly));

// Those of the graphics card need a package that is not beside the assembly.
static IEnumerable<Type> Types(Assembly assembly)
{
    try
    {
        return assembly.GetTypes();
    }
    catch (ReflectionTypeLoadException exception)
    {
        return exception.Types.OfType<Type>();
    }
}

static int Fail(string problem)
{
    Console.Error.WriteLine(problem);
    return 1;
}

static int Compile(string path)
{
    const int FewestKernels = 100;
    Assembly assembly = Assembly.LoadFrom(path);
    Type[] structs = [.. Types(assembly).Where(type => type is { IsValueType: true, IsGenericType: false })];
    SortedSet<string> left = new(StringComparer.Ordinal);
    SortedDictionary<string, int> counts = new(StringComparer.Ordinal);

    // What kernels read of it is a constant once it is there, and it is before a backend is made.
    RuntimeHelpers.RunClassConstructor(assembly.GetType("KimiLinear.Backends.Processor", throwOnError: true)!.TypeHandle);
    foreach (Type simd in Implementing("ISimd`1"))
    {
        Type vector = Argument(simd, "ISimd`1", 0);
        if (!IsAccelerated(vector))
        {
            continue;
        }

        Type integers = Implementing("IIntegerSimd`2").Single(type => Argument(type, "IIntegerSimd`2", 1) == vector);
        Dictionary<string, Type> types = new()
        {
            ["TSimd"] = simd,
            ["TVector"] = vector,
            ["TIntegers"] = integers,
            ["TInteger"] = Argument(integers, "IIntegerSimd`2", 0),
        };
        counts[simd.Name] = 0;
        foreach (MethodInfo method in Methods(assembly))
        {
            Type[] parameters = [.. method.DeclaringType!.GetGenericArguments(), .. method.GetGenericArguments()];
            if (!method.IsAbstract && parameters.Any(parameter => parameter.Name is "TSimd" or "TIntegers"))
            {
                Prepare(method, parameters, [], types);
            }
        }
    }

    // What takes a job or a source of panels has no type here to be compiled for: those are generic themselves.
    Console.WriteLine($"compiled: {string.Join(", ", counts)}; not by themselves: {string.Join(", ", left)}");
    return counts.Count > 0 && counts.Values.All(count => count > FewestKernels) ? 0 : Fail("Too few kernels were found.");

    void Prepare(MethodInfo method, Type[] parameters, Type[] chosen, Dictionary<string, Type> types)
    {
        if (chosen.Length == parameters.Length)
        {
            if (Satisfy(method, parameters, chosen))
            {
                RuntimeHelpers.PrepareMethod(method.MethodHandle, [.. chosen.Select(type => type.TypeHandle)]);
                counts[types["TSimd"].Name]++;
            }

            return;
        }

        Type parameter = parameters[chosen.Length];
        Type[] candidates = types.TryGetValue(parameter.Name, out Type? type)
            ? [type]
            : [.. parameter.GetGenericParameterConstraints().Where(constraint => constraint.IsInterface)
                .SelectMany(constraint => Implementing(constraint.Name))];
        if (candidates.Length == 0)
        {
            left.Add($"{method.DeclaringType!.Name}.{method.Name}");
        }

        Array.ForEach(candidates, candidate => Prepare(method, parameters, [.. chosen, candidate], types));
    }

    IEnumerable<Type> Implementing(string contract) =>
        structs.Where(type => type.GetInterfaces().Any(implemented => implemented.Name == contract));
}

// Formats of GGUF have no kernels for single numbers.
static bool Satisfy(MethodInfo method, Type[] parameters, Type[] chosen)
{
    for (int i = 0; i < parameters.Length; i++)
    {
        foreach (Type constraint in parameters[i].GetGenericParameterConstraints().Where(constraint => constraint.IsInterface))
        {
            if (!chosen[i].GetInterfaces().Any(implemented => implemented.Name == constraint.Name))
            {
                return false;
            }
        }
    }

    return true;
}

static Type Argument(Type type, string contract, int index) =>
    type.GetInterfaces().First(implemented => implemented.Name == contract).GetGenericArguments()[index];

static bool IsAccelerated(Type vector) =>
    vector == typeof(float)
    || (vector == typeof(Vector128<float>) && Vector128.IsHardwareAccelerated)
    || (vector == typeof(Vector256<float>) && Vector256.IsHardwareAccelerated)
    || (vector == typeof(Vector512<float>) && Vector512.IsHardwareAccelerated);
