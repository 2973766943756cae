using KimiLinear.Extensions.AI;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers a Kimi-Linear model as the application's <see cref="IChatClient"/>.</summary>
/// <remarks>
/// The model is loaded once, while a host starts or when the client is first asked for (<see cref="ModelWarmUp"/>), and disposed
/// with the container; a host that stops lets requests in progress end. Options are checked when a host starts, and when the
/// client is made. The returned builder adds middleware:
/// <c>services.AddKimiLinearChatClient("models/kimi").UseFunctionInvocation();</c>
/// </remarks>
public static class KimiLinearServiceCollectionExtensions
{
    /// <summary>Registers the model in a folder or a GGUF file, or of a name on the hub.</summary>
    /// <param name="services">The application's services.</param>
    /// <param name="modelPath">The folder that holds the model, a GGUF file, or a name such as <c>org/name</c>.</param>
    /// <returns>A builder that adds middleware around the client.</returns>
    /// <exception cref="ArgumentException"><paramref name="modelPath"/> is empty.</exception>
    public static ChatClientBuilder AddKimiLinearChatClient(this IServiceCollection services, string modelPath)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(modelPath);
        return services.AddKimiLinearChatClient(options => options.ModelPath = modelPath);
    }

    /// <summary>Registers a model with options set in code.</summary>
    /// <param name="services">The application's services.</param>
    /// <param name="configure">Sets the options.</param>
    /// <returns>A builder that adds middleware around the client.</returns>
    public static ChatClientBuilder AddKimiLinearChatClient(
        this IServiceCollection services, Action<KimiLinearChatClientOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(configure);
        AddOptions(services, Options.Options.DefaultName).Configure(configure);
        return services.AddChatClient(provider => Create(provider, Options.Options.DefaultName));
    }

    /// <summary>Registers a model with options from configuration.</summary>
    /// <param name="services">The application's services.</param>
    /// <param name="section">The section that holds them, such as <c>configuration.GetSection("KimiLinear")</c>.</param>
    /// <returns>A builder that adds middleware around the client.</returns>
    public static ChatClientBuilder AddKimiLinearChatClient(this IServiceCollection services, IConfiguration section)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(section);
        AddOptions(services, Options.Options.DefaultName).Bind(section);
        return services.AddChatClient(provider => Create(provider, Options.Options.DefaultName));
    }

    /// <summary>Registers a model under a key, beside others; its options are named like the key.</summary>
    /// <param name="services">The application's services.</param>
    /// <param name="serviceKey">The key.</param>
    /// <param name="configure">Sets the options.</param>
    /// <returns>A builder that adds middleware around the client.</returns>
    public static ChatClientBuilder AddKeyedKimiLinearChatClient(
        this IServiceCollection services, string serviceKey, Action<KimiLinearChatClientOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrEmpty(serviceKey);
        ArgumentNullException.ThrowIfNull(configure);
        AddOptions(services, serviceKey).Configure(configure);
        return services.AddKeyedChatClient(serviceKey, provider => Create(provider, serviceKey));
    }

    /// <summary>Registers a model under a key with options from configuration.</summary>
    /// <param name="services">The application's services.</param>
    /// <param name="serviceKey">The key.</param>
    /// <param name="section">The section that holds the options.</param>
    /// <returns>A builder that adds middleware around the client.</returns>
    public static ChatClientBuilder AddKeyedKimiLinearChatClient(
        this IServiceCollection services, string serviceKey, IConfiguration section)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrEmpty(serviceKey);
        ArgumentNullException.ThrowIfNull(section);
        AddOptions(services, serviceKey).Bind(section);
        return services.AddKeyedChatClient(serviceKey, provider => Create(provider, serviceKey));
    }

    /// <summary>
    /// Adds a check of the model of <c>AddKimiLinearChatClient</c>: unhealthy while it loads, if that failed and once the host
    /// stops, degraded when more than half of the requests that may wait do, else healthy, also before a first use that is to load
    /// it. It is a matter of readiness, not of liveness.
    /// </summary>
    /// <param name="builder">The application's health checks.</param>
    /// <param name="name">The check's name.</param>
    /// <param name="serviceKey">The key of the model, or <see langword="null"/> for the one without.</param>
    /// <param name="failureStatus">The status instead of unhealthy.</param>
    /// <param name="tags">Tags to choose checks by, such as "ready".</param>
    /// <returns>The builder.</returns>
    public static IHealthChecksBuilder AddKimiLinear(
        this IHealthChecksBuilder builder,
        string name = "kimilinear",
        string? serviceKey = null,
        HealthStatus? failureStatus = null,
        IEnumerable<string>? tags = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        string optionsName = serviceKey ?? Options.Options.DefaultName;
        return builder.Add(new HealthCheckRegistration(
            name,
            provider => new ModelHealthCheck(
                provider.GetKeyedService<ModelHost>(optionsName) ?? throw new InvalidOperationException(
                    $"The health check '{name}' is of {(serviceKey is null ? "the model without a key" : $"the model '{serviceKey}'")}, "
                    + $"which is not registered. Call {nameof(AddKimiLinearChatClient)}, or name the key of "
                    + $"{nameof(AddKeyedKimiLinearChatClient)} as '{nameof(serviceKey)}'."),
                provider.GetRequiredService<IOptionsMonitor<KimiLinearChatClientOptions>>().Get(optionsName).MaxQueuedRequests),
            failureStatus,
            tags));
    }

    private static OptionsBuilder<KimiLinearChatClientOptions> AddOptions(IServiceCollection services, string name)
    {
        services.TryAddEnumerable(
            ServiceDescriptor.Singleton<IValidateOptions<KimiLinearChatClientOptions>, ValidateKimiLinearChatClientOptions>());
        services.TryAddKeyedSingleton(name, (provider, _) => new ModelHost(
            provider.GetRequiredService<IOptionsMonitor<KimiLinearChatClientOptions>>().Get(name),
            provider.GetService<ILogger<KimiLinearChatClient>>()));
        services.AddSingleton<IHostedService>(provider => new ModelLifetimeService(
            provider.GetRequiredKeyedService<ModelHost>(name), provider.GetService<ILogger<KimiLinearChatClient>>()));
        return services.AddOptions<KimiLinearChatClientOptions>(name).ValidateOnStart();
    }

    private static KimiLinearChatClient Create(IServiceProvider provider, string name) =>
        provider.GetRequiredKeyedService<ModelHost>(name).LoadAsync().GetAwaiter().GetResult();
}
