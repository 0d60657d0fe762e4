using System.Runtime.InteropServices;

namespace TorchSharp;

/// <summary>The part of TorchSharp's <c>torch</c> that this repository uses, under the same names and with the same behaviour.</summary>
public static partial class torch
{
    /// <summary>The version of the libtorch in use.</summary>
    public static string __version__ => Marshal.PtrToStringUTF8(Native.ts_version())!;

    public static bool TryInitializeDeviceType(DeviceType deviceType) => deviceType switch
    {
        DeviceType.MPS => false,
        DeviceType.CUDA => Native.ts_cuda_available() != 0,
        _ => true,
    };

    public static void InitializeDeviceType(DeviceType deviceType)
    {
        if (deviceType == DeviceType.MPS) throw new InvalidOperationException("Torch device type 'MPS' is not available on this platform.");
        if (!TryInitializeDeviceType(deviceType))
            throw new InvalidOperationException($"Torch device type {deviceType} did not initialise on the current machine.");
    }

    public static Device InitializeDevice(Device? device)
    {
        device ??= defaultDevice;
        if (device.type != DeviceType.CPU) InitializeDeviceType(device.type);
        return device;
    }

    public static DisposeScope NewDisposeScope() => DisposeScopeManager.ThreadSingleton.NewDisposeScope();
    public static DisposeScope? CurrentDisposeScope => DisposeScopeManager.ThreadSingleton.CurrentDisposeScope;

    public static Tensor WrappedTensorDisposeScope(Func<Tensor> expr)
    {
        using var scope = NewDisposeScope();
        return expr().MoveToOuterDisposeScope();
    }

    public static void save(Tensor t, string location) => t.save(location);
    public static Tensor load(string location) => Tensor.load(location);

    public static int get_num_threads() => Native.ts_threads(interop: 0);
    public static void set_num_threads(int num) => Native.Check(Native.ts_set_threads(num, interop: 0));
    public static int get_num_interop_threads() => Native.ts_threads(interop: 1);
    public static void set_num_interop_threads(int num) => Native.Check(Native.ts_set_threads(num, interop: 1));

    public static bool cuda_is_available() => cuda.is_available();

    public static partial class cuda
    {
        public static bool is_available() => Native.ts_cuda_available() != 0;
        public static bool is_cudnn_available() => Native.ts_cudnn_available() != 0;
        public static int device_count() => Native.ts_cuda_count();
        public static void manual_seed(long seed) => Native.Check(Native.ts_cuda_seed((ulong)seed, all: 0));
        public static void manual_seed_all(long seed) => Native.Check(Native.ts_cuda_seed((ulong)seed, all: 1));
        public static void synchronize(Device? device = null) => Native.Check(Native.ts_cuda_synchronize(device?.index ?? -1));
    }

    // Random numbers.

    public class Generator : IDisposable
    {
        public nint Handle { get; private set; }
        public Device device { get; private set; }

        internal Generator(nint handle) => (Handle, device) = (handle, CPU);

        // As in the genuine package, only the CPU's generator exists.
        public Generator(ulong seed = 0, Device? device = null) : this(Native.ts_generator_new(seed)) => this.device = device ?? CPU;

        public static Generator Default => new(Native.ts_generator_default());

        public Tensor get_state() => new(Native.Check(Native.ts_generator_state(Handle)));
        public void set_state(Tensor value) => Native.Check(Native.ts_generator_set_state(Handle, value.Handle));
        public long initial_seed() => (long)Native.ts_generator_seed(Handle);

        public Generator manual_seed(long seed)
        {
            Native.ts_generator_set_seed(Handle, (ulong)seed);
            return this;
        }

        public long seed()
        {
            long seed = DateTime.UtcNow.Ticks;
            manual_seed(seed);
            return seed;
        }

        ~Generator() => Dispose(false);

        public void Dispose()
        {
            Dispose(true);
            GC.SuppressFinalize(this);
        }

        protected virtual void Dispose(bool disposing)
        {
            if (Handle != 0) Native.ts_generator_free(Handle);
            Handle = 0;
        }
    }

    public static partial class random
    {
        public static long seed() => Generator.Default.seed();
        public static long initial_seed() => Generator.Default.initial_seed();
        public static Generator manual_seed(long seed) => Generator.Default.manual_seed(seed);
        public static Tensor get_rng_state() => Generator.Default.get_state();
        public static void set_rng_state(Tensor new_state) => Generator.Default.set_state(new_state);
    }

    public static long seed() => random.seed();
    public static long initial_seed() => random.initial_seed();
    public static Generator manual_seed(long seed) => random.manual_seed(seed);
    public static Tensor get_rng_state() => random.get_rng_state();
    public static void set_rng_state(Tensor new_state) => random.set_rng_state(new_state);

    // Gradients.

    private sealed class GradMode : IDisposable
    {
        private readonly byte before = Native.ts_grad_mode();
        internal GradMode(bool enabled) => Native.ts_set_grad_mode(Native.Flag(enabled));
        public void Dispose() => Native.ts_set_grad_mode(before);
    }

    private sealed class InferenceMode(bool enabled) : IDisposable
    {
        private nint mode = Native.ts_inference_mode_new(Native.Flag(enabled));

        public void Dispose()
        {
            if (mode != 0) Native.ts_inference_mode_free(mode);
            mode = 0;
        }
    }

    public static IDisposable no_grad() => new GradMode(false);
    public static IDisposable enable_grad(bool enabled = true) => new GradMode(enabled);
    public static IDisposable set_grad_enabled(bool mode = true) => new GradMode(mode);
    public static bool is_grad_enabled() => Native.ts_grad_mode() != 0;
    public static IDisposable inference_mode(bool mode = true) => new InferenceMode(mode);
    public static bool is_inference_mode_enabled() => Native.ts_inference_mode() != 0;

    public static partial class autograd
    {
        private static nint[] Handles(IList<Tensor>? tensors)
        {
            if (tensors is null) return [];
            var handles = new nint[tensors.Count];
            for (int i = 0; i < handles.Length; i++) handles[i] = tensors[i].Handle;
            return handles;
        }

        public static void backward(IList<Tensor> tensors, IList<Tensor>? grad_tensors = null, bool? retain_graph = null, bool create_graph = false, IList<Tensor>? inputs = null)
        {
            nint[] roots = Handles(tensors), gradients = Handles(grad_tensors), leaves = Handles(inputs);
            Native.Check(Native.ts_backward(roots, roots.Length, gradients, gradients.Length, Native.Flag(retain_graph ?? create_graph),
                Native.Flag(create_graph), leaves, leaves.Length));
            GC.KeepAlive((tensors, grad_tensors, inputs));
        }

        public static void backward(Tensor tensor, IList<Tensor>? grad_tensors = null, bool? retain_graph = null, bool create_graph = false, IList<Tensor>? inputs = null) =>
            backward([tensor], grad_tensors, retain_graph, create_graph, inputs);

        public static void backward(Tensor tensor, Tensor grad_tensor, bool? retain_graph = null, bool create_graph = false, IList<Tensor>? inputs = null) =>
            backward([tensor], [grad_tensor], retain_graph, create_graph, inputs);

        public static IList<Tensor> grad(IList<Tensor> outputs, IList<Tensor> inputs, IList<Tensor>? grad_outputs = null, bool retain_graph = false, bool create_graph = false, bool allow_unused = false)
        {
            nint[] roots = Handles(outputs), leaves = Handles(inputs), gradients = Handles(grad_outputs), results = new nint[leaves.Length];
            Native.Check(Native.ts_autograd_grad(roots, roots.Length, leaves, leaves.Length, gradients, gradients.Length,
                Native.Flag(retain_graph), Native.Flag(create_graph), Native.Flag(allow_unused), results));
            GC.KeepAlive((outputs, inputs, grad_outputs));
            return Array.ConvertAll(results, handle => new Tensor(handle)).ToList();
        }
    }
}
