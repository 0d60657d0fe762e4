using System.Globalization;
using System.Runtime.CompilerServices;
using Microsoft.ML;
using Microsoft.ML.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.MLNet.Trainer;

/// <summary>Selects the device that an <see cref="MLContext"/> asks for.</summary>
internal static class TorchDevice
{
    // A loader is given an environment inside the context, which does not say publicly what the context says of GPUs; both share one component catalog.
    private static readonly ConditionalWeakTable<ComponentCatalog, MLContext> Contexts = [];

    /// <summary>Lets <see cref="Select"/> find the context by an environment inside it.</summary>
    public static void Register(MLContext context) => Contexts.AddOrUpdate(context.ComponentCatalog, context);

    /// <summary>The CPU where <see cref="MLContext.GpuDeviceId"/> is null, else that GPU.</summary>
    /// <param name="environment">The context, or an environment inside one that is known; any other says nothing of GPUs, and gets the CPU.</param>
    /// <param name="channel">Is told where the CPU stands in for a GPU.</param>
    /// <exception cref="InvalidOperationException">There is no such GPU, and <see cref="MLContext.FallbackToCpu"/> is false.</exception>
    public static Device Select(IHostEnvironment environment, IChannel channel)
    {
        var context = environment as MLContext ?? (Contexts.TryGetValue(environment.ComponentCatalog, out var outer) ? outer : null);
        if (context?.GpuDeviceId is not { } index)
            return CPU;
        int available = cuda.is_available() ? cuda.device_count() : 0;
        if (index >= 0 && index < available)
            return device(DeviceType.CUDA, index);

        string what = string.Create(CultureInfo.InvariantCulture, $"GpuDeviceId is {index}, but TorchSharp finds ")
            + (available == 0
                ? "no CUDA device. Install an NVIDIA driver and reference the package TorchSharp-cuda-linux or TorchSharp-cuda-windows in place of TorchSharp-cpu."
                : string.Create(CultureInfo.InvariantCulture, $"only {available}, numbered from 0."));
        if (!context.FallbackToCpu)
            throw new InvalidOperationException($"{what} Or let FallbackToCpu be true to use the CPU.");
        channel.Warning(MessageSensitivity.None, $"{what} The CPU is used.");
        return CPU;
    }
}
