using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Data;

/// <summary>Copies of numbers to the device that computes with them.</summary>
internal static class DeviceCopies
{
    /// <summary>Copies numbers, [N] int64. To a GPU from pinned memory, so that nobody waits for what the GPU is still computing.</summary>
    /// <param name="device">The device.</param>
    /// <param name="values">N numbers.</param>
    public static Tensor Upload(this Device device, long[] values) => Send(tensor(values), device);

    /// <summary>Copies numbers, [N] float64, likewise.</summary>
    /// <param name="device">The device.</param>
    /// <param name="values">N numbers.</param>
    public static Tensor Upload(this Device device, double[] values) => Send(tensor(values), device);

    private static Tensor Send(Tensor values, Device device)
    {
        if (device.type != DeviceType.CUDA)
            return values.to(device);
        using Tensor pageable = values, pinned = values.pin_memory();
        return pinned.to(device, non_blocking: true);
    }
}
