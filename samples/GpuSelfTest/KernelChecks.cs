using System.Reflection;
using KimiLinear.Kernels.Tests;
using Xunit;

namespace GpuSelfTest;

/// <summary>The tests of the kernels, a stage for each class: random input, float64 results, memory that was poisoned.</summary>
internal static class KernelChecks
{
    public static void Run(Action<string, Func<Figures, string>> runStage)
    {
        foreach (Type type in typeof(TestDevice).Assembly.GetTypes().Where(IsTestClass).OrderBy(type => type.Name))
        {
            runStage($"kernels: {type.Name}", figures => RunClass(type, figures));
        }
    }

    /// <summary>Runs every case of every test of a class, whatever becomes of one; the first failure is told.</summary>
    /// <exception cref="InvalidOperationException">Some failed.</exception>
    public static string RunClass(Type type, Figures figures)
    {
        int count = 0;
        List<string> failures = [];
        foreach (MethodInfo method in Tests(type))
        {
            foreach (object?[] arguments in Cases(type, method))
            {
                count++;
                try
                {
                    Invoke(type, method, arguments);
                }
#pragma warning disable CA1031 // Whatever is thrown is what the test has to say.
                catch (Exception exception)
#pragma warning restore CA1031
                {
                    Exception cause = exception is TargetInvocationException { InnerException: { } inner } ? inner : exception;
                    failures.Add($"{method.Name}({string.Join(", ", arguments.Select(Text))}): {cause.Message}");
                }
            }
        }

        figures.Add("checks", count);
        figures.Add("failures", failures.Count);
        return failures.Count == 0
            ? $"{count} checks"
            : throw new InvalidOperationException($"{failures.Count} of {count} checks failed; the first: {failures[0]}");
    }

    private static bool IsTestClass(Type type) => type.Namespace == typeof(TestDevice).Namespace && Tests(type).Any();

    private static IEnumerable<MethodInfo> Tests(Type type) =>
        type.GetMethods().Where(method => method.GetCustomAttribute<FactAttribute>() is not null);

    private static IEnumerable<object?[]> Cases(Type type, MethodInfo method)
    {
        if (method.GetCustomAttribute<TheoryAttribute>() is null)
        {
            return [[]];
        }

        IEnumerable<object?[]> inline = method.GetCustomAttributes<InlineDataAttribute>().Select(data => data.Data);
        IEnumerable<object?[]> members = method.GetCustomAttributes<MemberDataAttribute>().SelectMany(
            data => Members(data.MemberType ?? type, data.MemberName));
        return inline.Concat(members);
    }

    private static IEnumerable<object?[]> Members(Type type, string name)
    {
        object? value = type.GetProperty(name)?.GetValue(null) ?? type.GetMethod(name)?.Invoke(null, null);
        return ((IEnumerable<ITheoryDataRow>)value!).Select(row => row.GetData());
    }

    // The last parameter may take the rest of the arguments.
    private static void Invoke(Type type, MethodInfo method, object?[] arguments)
    {
        ParameterInfo[] parameters = method.GetParameters();
        if (parameters.Length > 0 && parameters[^1].IsDefined(typeof(ParamArrayAttribute)))
        {
            Type element = parameters[^1].ParameterType.GetElementType()!;
            object?[] rest = arguments[(parameters.Length - 1)..];
            var array = Array.CreateInstance(element, rest.Length);
            rest.CopyTo(array, 0);
            arguments = [.. arguments[..(parameters.Length - 1)], array];
        }

        object instance = Activator.CreateInstance(type)!;
        method.Invoke(instance, arguments);
        (instance as IDisposable)?.Dispose();
    }

    private static string Text(object? value) => value is Array array ? $"[{string.Join(", ", array.Cast<object>())}]" : $"{value}";
}
