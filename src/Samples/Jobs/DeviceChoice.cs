using System.Globalization;
using Microsoft.ML;
using Samples.Errors;
using TorchSharp;

namespace Samples.Jobs;

/// <summary>The device that a model computes on: null is the CPU, a number a CUDA device.</summary>
internal readonly record struct DeviceChoice(int? GpuIndex)
{
    /// <summary>Reads cpu, cuda or cuda:N; null if the text is none of them.</summary>
    public static DeviceChoice? TryParse(string text) => text switch
    {
        "cpu" => new DeviceChoice(null),
        "cuda" => new DeviceChoice(0),
        _ when text.StartsWith("cuda:", StringComparison.Ordinal) && int.TryParse(text.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out int index) => new DeviceChoice(index),
        _ => null,
    };

    /// <summary>Creates an ML.NET context for the device that does not silently fall back to the CPU.</summary>
    /// <exception cref="UserErrorException">There is no such device.</exception>
    public MLContext CreateContext(int seed)
    {
        if (GpuIndex is { } index && (!torch.cuda.is_available() || index >= torch.cuda.device_count()))
            throw new UserErrorException($"--device {this}: torch finds {(torch.cuda.is_available() ? torch.cuda.device_count() : 0)} CUDA devices; "
                + "build with -p:TorchRuntime=cuda on a machine that has one, or use --device cpu.");
        return new MLContext(seed) { GpuDeviceId = GpuIndex, FallbackToCpu = false };
    }

    public override string ToString() => GpuIndex is { } index ? $"cuda:{index}" : "cpu";
}
