using System.Reflection;
using KimiLinear.Checkpoints;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Xunit;

namespace KimiLinear.Extensions.AI.Tests;

/// <summary>Every option that a configuration may set arrives; the code that binds them is generated and leaves out what it cannot read.</summary>
public sealed class OptionsBindingTests
{
    // Told while the program runs, so set in code only.
    private static readonly string[] SetInCode =
        [nameof(KimiLinearChatClientOptions.DownloadProgress), nameof(KimiLinearChatClientOptions.LoadProgress)];

    public static TheoryData<string> Names =>
    [
        .. Settable(typeof(KimiLinearChatClientOptions))
            .Where(property => property.PropertyType != typeof(ModelHubOptions)).Select(property => property.Name),
        .. Settable(typeof(ModelHubOptions)).Select(property => $"{nameof(KimiLinearChatClientOptions.Hub)}:{property.Name}"),
    ];

    [Theory]
    [MemberData(nameof(Names))]
    public void Section_SetsAnOption_ItArrives(string name)
    {
        KimiLinearChatClientOptions defaults = new() { ModelPath = TinyModel.Folder };
        (string text, object expected) = OtherThan(Read(defaults, name, out Type type), type, name);
        ConfigurationManager configuration = new();
        configuration[$"KimiLinear:{nameof(KimiLinearChatClientOptions.ModelPath)}"] = TinyModel.Folder;
        configuration[$"KimiLinear:{name}"] = text;
        ServiceCollection services = new();
        services.AddKimiLinearChatClient(configuration.GetSection("KimiLinear"));
        using ServiceProvider provider = services.BuildServiceProvider();

        KimiLinearChatClientOptions options = provider.GetRequiredService<IOptions<KimiLinearChatClientOptions>>().Value;

        Assert.Equal(expected, Read(options, name, out _));
    }

    private static IEnumerable<PropertyInfo> Settable(Type type) => type
        .GetProperties(BindingFlags.Public | BindingFlags.Instance)
        .Where(property => property.SetMethod is { IsPublic: true } && !SetInCode.Contains(property.Name));

    private static object? Read(KimiLinearChatClientOptions options, string name, out Type type)
    {
        object owner = options;
        string[] path = name.Split(':');
        if (path.Length > 1)
        {
            owner = options.Hub;
        }

        PropertyInfo property = owner.GetType().GetProperty(path[^1])!;
        type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        return property.GetValue(owner);
    }

    // A valid value that is not the default, as configuration spells it.
    private static (string Text, object Value) OtherThan(object? value, Type type, string name)
    {
        if (name == nameof(KimiLinearChatClientOptions.ModelPath))
        {
            string folder = Path.Combine(TinyModel.Folder, ".");
            return (folder, folder);
        }

        if (name == nameof(KimiLinearChatClientOptions.Device))
        {
            return ("cpu", "cpu");
        }

        if (type.IsEnum)
        {
            object other = Enum.GetValues(type).Cast<object>().Last(one => !one.Equals(value));
            return (other.ToString()!, other);
        }

        return value switch
        {
            bool flag => (flag ? "false" : "true", !flag),
            _ when type == typeof(int) => ("7", 7),
            _ when type == typeof(long) => ("12345678901", 12_345_678_901L),
            _ when type == typeof(string) => ("some text", "some text"),
            _ when type == typeof(Uri) => ("https://hub.example/", new Uri("https://hub.example/")),
            _ => throw new NotSupportedException($"{name} is of type {type}, of which this test knows no value."),
        };
    }
}
