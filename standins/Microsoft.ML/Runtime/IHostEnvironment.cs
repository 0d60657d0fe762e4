namespace Microsoft.ML.Runtime;

public interface IChannelProvider : IExceptionContext
{
    IChannel Start(string name);
    IPipe<TMessage> StartPipe<TMessage>(string name);
}

public interface IHostEnvironment : IChannelProvider, IProgressChannelProvider
{
    ComponentCatalog ComponentCatalog { get; }
    IHost Register(string name, int? seed = null, bool? verbose = null);
}

internal interface IHostEnvironmentInternal : IHostEnvironment
{
    int? Seed { get; }
    bool FallbackToCpu { get; set; }
    int? GpuDeviceId { get; set; }
}

public interface IHost : IHostEnvironment
{
    Random Rand { get; }
}
