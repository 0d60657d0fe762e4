using System.Runtime.InteropServices;

namespace MLNetExtension.Training.Splitting;

/// <summary>Asks NVIDIA's driver how much of a GPU's memory is in use, which TorchSharp does not tell.</summary>
internal static unsafe class CudaMemory
{
    private static readonly nint _driver = NativeLibrary.TryLoad(OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1", out nint driver) ? driver : 0;

    /// <summary>Reads what all processes together have allocated.</summary>
    /// <param name="ordinal">The number of the GPU among those that this process sees. Something must have been computed on it before.</param>
    /// <param name="used">Bytes in use.</param>
    /// <param name="all">Bytes that there are.</param>
    /// <returns>Whether the driver is there and answers.</returns>
    public static bool TryRead(int ordinal, out long used, out long all)
    {
        nuint free = 0, total = 0;
        int device;
        nint context;
        // The context of the device that libtorch uses too; the calling thread's present one may be that of another device.
        bool isRead = _driver != 0
            && ((delegate* unmanaged<int*, int, int>)Find("cuDeviceGet"))(&device, ordinal) == 0
            && ((delegate* unmanaged<nint*, int, int>)Find("cuDevicePrimaryCtxRetain"))(&context, device) == 0
            && ((delegate* unmanaged<nint, int>)Find("cuCtxPushCurrent_v2"))(context) == 0
            && ((delegate* unmanaged<nuint*, nuint*, int>)Find("cuMemGetInfo_v2"))(&free, &total) == 0
            && ((delegate* unmanaged<nint*, int>)Find("cuCtxPopCurrent_v2"))(&context) == 0
            && ((delegate* unmanaged<int, int>)Find("cuDevicePrimaryCtxRelease_v2"))(device) == 0;
        (used, all) = ((long)(total - free), (long)total);
        return isRead;
    }

    private static nint Find(string function) => NativeLibrary.GetExport(_driver, function);
}
