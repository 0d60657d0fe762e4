using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Estimators;

/// <summary>Picks the device that an <see cref="MLContext"/> asks for.</summary>
internal static class TorchDevice
{
    /// <summary>The CPU where <see cref="MLContext.GpuDeviceId"/> is null, else that GPU.</summary>
    /// <param name="environment">The context; another environment says nothing of GPUs, and gets the CPU.</param>
    /// <param name="channel">Is told where the CPU stands in for a GPU.</param>
    /// <exception cref="InvalidOperationException">There is no such GPU, and <see cref="MLContext.FallbackToCpu"/> is false.</exception>
    public static Device For(IHostEnvironment environment, IChannel channel)
    {
        if (environment is not MLContext { GpuDeviceId: int index } context)
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
