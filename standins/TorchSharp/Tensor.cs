namespace TorchSharp;

public static partial class torch
{
    /// <summary>One reference to a libtorch tensor, released when this is disposed of or collected.</summary>
    public unsafe partial class Tensor : IDisposable
    {
        private static long totalCount;
        private static long peakCount;

        internal nint handle;

        internal Tensor(nint handle, bool register = true)
        {
            this.handle = handle;
            peakCount = Math.Max(peakCount, Interlocked.Increment(ref totalCount));
            if (register) OwningDisposeScope = DisposeScopeManager.ThreadSingleton.Register(this);
        }

        ~Tensor() => Dispose(false);

        internal DisposeScope? OwningDisposeScope { get; set; }

        public static long TotalCount => totalCount;
        public static long PeakCount => peakCount;
        public string? name { get; set; }
        public nint Handle => handle != 0 ? handle : throw new InvalidOperationException("Tensor invalid -- empty handle.");
        public bool IsInvalid => handle == 0;

        public void Dispose()
        {
            Dispose(true);
            GC.SuppressFinalize(this);
        }

        protected virtual void Dispose(bool disposing)
        {
            if (handle == 0) return;
            DisposeScopeManager.ThreadSingleton.Disposing(this);
            OwningDisposeScope?.MarkAsDisposed(this);
            Interlocked.Decrement(ref totalCount);
            Native.ts_free(handle);
            handle = 0;
        }

        internal nint MoveHandle() => Interlocked.Exchange(ref handle, 0);

        public Tensor MoveToOuterDisposeScope()
        {
            OwningDisposeScope?.MoveToOuter(this);
            return this;
        }

        public Tensor DetachFromDisposeScope()
        {
            OwningDisposeScope?.Detach(this);
            return this;
        }

        public Tensor MoveToOtherDisposeScope(Tensor other) => MoveToOtherDisposeScope(other.OwningDisposeScope);

        public Tensor MoveToOtherDisposeScope(DisposeScope? other)
        {
            if (OwningDisposeScope is null) other?.Attach(this);
            else OwningDisposeScope.MoveToOther(other, this);
            return this;
        }

        // What the tensor knows about itself.

        private long Property(int property)
        {
            long value = Native.ts_property(Handle, property);
            GC.KeepAlive(this);
            return value;
        }

        private long[] Sizes(bool strides)
        {
            var sizes = new long[Property(0)];
            fixed (long* first = sizes) Native.ts_sizes(Handle, first, Native.Flag(strides));
            GC.KeepAlive(this);
            return sizes;
        }

        public long Dimensions => Property(0);
        public long dim() => Property(0);
        public long ndim => Property(0);
        public long NumberOfElements => Property(1);
        public long numel() => Property(1);
        public long ElementSize => Property(2);
        public long element_size() => Property(2);
        public ScalarType dtype => (ScalarType)Property(3);
        public DeviceType device_type => (DeviceType)Property(4);
        public int device_index => (int)Property(5);
        public Device device => device_type == DeviceType.CPU ? new Device(DeviceType.CPU) : new Device(device_type, device_index);
        public bool is_contiguous() => Property(6) != 0;
        public long storage_offset() => Property(7);
        public bool is_leaf => Property(9) != 0;
        public bool is_cuda => device_type == DeviceType.CUDA;
        public bool is_meta => device_type == DeviceType.META;
        public bool is_cpu() => device_type == DeviceType.CPU;
        public bool is_integral() => torch.is_integral(dtype);
        public bool is_floating_point() => torch.is_floating_point(dtype);
        public bool is_complex() => torch.is_complex(dtype);
        public long[] shape => Sizes(strides: false);
        public long[] size() => Sizes(strides: false);
        public long size(int dim) => Op.CallValue("size.int", this, dim).Bits;
        public long[] stride() => Sizes(strides: true);
        public long stride(int dim) => Op.CallValue("stride.int", this, dim).Bits;

        public override string ToString() => $"[{string.Join("x", shape)}], type = {dtype}, device = {device}";
        public override bool Equals(object? obj) => obj is Tensor tensor && Equals(tensor);
        public bool Equals(Tensor target) => Op.CallValue("equal", this, target).Bits != 0;
        public override int GetHashCode() => base.GetHashCode();

        // Data.

        internal nint Data()
        {
            nint data = Native.Check(Native.ts_data(Handle));
            GC.KeepAlive(this);
            return data;
        }

        internal void ValidateType(Type dotnetType)
        {
            if (dtype == ScalarType.BFloat16) throw new ArgumentException($"No support for {dtype} in TorchSharp");
            if (!TypeMap.TryGetValue(dotnetType, out var type) || type != dtype) throw new ArgumentException($"{dotnetType.Name} is not compatible with {dtype}");
        }

        public Utils.TensorAccessor<T> data<T>() where T : unmanaged
        {
            ValidateType(typeof(T));
            return new Utils.TensorAccessor<T>(device_type == DeviceType.CPU ? this : cpu());
        }

        public T item<T>() where T : unmanaged =>
            NumberOfElements == 1 ? data<T>()[0] : throw new ArgumentException("Number of elements in the tensor must be 1");

        public Scalar ToScalar()
        {
            var item = Op.CallValue("item", this);
            var type = item.Kind switch { Kind.Integer => ScalarType.Int64, Kind.Boolean => ScalarType.Bool, _ => ScalarType.Float64 };
            return item.Kind == Kind.Number ? Scalar.Of(type, item.Number) : Scalar.Of(type, item.Bits);
        }


        private void ValidateBytes(long size)
        {
            if (!is_contiguous()) throw new InvalidOperationException("Bytes() called on non-contiguous tensor.");
            if (size > int.MaxValue) throw new ArgumentException("Span only supports up to int.MaxValue elements.");
            if (device_type != DeviceType.CPU) throw new InvalidOperationException(Utils.TensorAccessor<byte>.NotOnCpu);
        }

        public Span<byte> bytes
        {
            get
            {
                long size = NumberOfElements * ElementSize;
                ValidateBytes(size);
                return new Span<byte>((void*)Data(), (int)size);
            }
            set
            {
                if (!is_contiguous()) throw new InvalidOperationException("SetBytes() called on non-contiguous tensor.");
                if (NumberOfElements * ElementSize != value.Length) throw new ArgumentException("Mismatched data sizes in SetBytes().");
                value.CopyTo(new Span<byte>((void*)Data(), value.Length));
            }
        }

        public void WriteBytesToStream(Stream stream, int bufferSize = 1024)
        {
            ValidateBytes(0);
            byte* data = (byte*)Data();
            for (long left = NumberOfElements * ElementSize; left > 0;)
            {
                int part = (int)Math.Min(left, Math.Max(bufferSize, 1 << 20));
                stream.Write(new ReadOnlySpan<byte>(data, part));
                data += part;
                left -= part;
            }
        }

        public void ReadBytesFromStream(Stream stream, int bufferSize = 1024)
        {
            ValidateBytes(0);
            byte* data = (byte*)Data();
            for (long left = NumberOfElements * ElementSize; left > 0;)
            {
                int read = stream.Read(new Span<byte>(data, (int)Math.Min(left, Math.Max(bufferSize, 1 << 20))));
                if (read == 0) throw new EndOfStreamException();
                data += read;
                left -= read;
            }
        }

        public void save(string location) => Native.Check(Native.ts_save(Handle, location));
        public static Tensor load(string location) => new(Native.Check(Native.ts_load(location)));

        // Gradients.

        public bool requires_grad
        {
            get => Property(8) != 0;
            set => Native.Check(Native.ts_set_requires_grad(Handle, Native.Flag(value)));
        }

        public Tensor requires_grad_(bool requires_grad = true)
        {
            this.requires_grad = requires_grad;
            return this;
        }

        public Tensor with_requires_grad(bool requires_grad = true) => requires_grad_(requires_grad);

        public void retain_grad() => Native.Check(Native.ts_retain_grad(Handle));

        public Tensor? grad
        {
            get
            {
                Native.Check(Native.ts_grad(Handle, out nint gradient));
                return gradient == 0 ? null : new Tensor(gradient);
            }
            set => Native.Check(Native.ts_set_grad(Handle, value?.Handle ?? 0));
        }

        public void backward() => autograd.backward([this]);

        public void backward(IList<Tensor>? grad_tensors = null, bool retain_graph = false, bool create_graph = false, IList<Tensor>? inputs = null) =>
            autograd.backward([this], grad_tensors, retain_graph, create_graph, inputs);

        public Tensor detach() => Op.Call("detach", this);
        public Tensor detach_() => Self("detach_", this);

        // Where and as what the numbers are kept.

        private Tensor To(string op, bool disposeAfter, params ReadOnlySpan<Arg> args)
        {
            var moved = Op.Call(op, args);
            if (disposeAfter) Dispose();
            return moved;
        }

        public Tensor to_type(ScalarType type, bool copy = false, bool disposeAfter = false, bool non_blocking = false) =>
            To("to.dtype", disposeAfter, this, type, non_blocking, copy);
        public Tensor to(DeviceType deviceType, int deviceIndex = -1, bool copy = false, bool disposeAfter = false, bool non_blocking = false) =>
            To("to.device", disposeAfter, this, InitializeDevice(new Device(deviceType, deviceIndex)), dtype, non_blocking, copy);
        public Tensor to(ScalarType type, Device device, bool copy = false, bool disposeAfter = false, bool non_blocking = false) =>
            To("to.device", disposeAfter, this, InitializeDevice(device), type, non_blocking, copy);
        public Tensor to(ScalarType type, bool copy = false, bool disposeAfter = false, bool non_blocking = false) =>
            to_type(type, copy, disposeAfter, non_blocking);
        public Tensor to(string device, bool copy = false, bool disposeAfter = false, bool non_blocking = false) =>
            to(new Device(device), copy, disposeAfter, non_blocking);
        public Tensor to(Device device, bool copy = false, bool disposeAfter = false, bool non_blocking = false) =>
            to(device.type, device.index, copy, disposeAfter, non_blocking);
        public Tensor to(Tensor other, bool non_blocking = false) => to(other.dtype, other.device, non_blocking);
        public Tensor type(ScalarType dtype) => to(dtype);
        public Tensor type_as(Tensor tensor) => to_type(tensor.dtype);
        public Tensor cpu() => Op.Call("to.device", this, CPU, dtype);

        public Tensor cuda(Device? device = null, bool non_blocking = false)
        {
            if (device is not null && device.type != DeviceType.CUDA) throw new ArgumentException("Not a CUDA device.", nameof(device));
            return Op.Call("to.device", this, InitializeDevice(device ?? new Device(DeviceType.CUDA)), dtype, non_blocking);
        }

        public Tensor @byte() => to_type(ScalarType.Byte);
        public Tensor @bool() => to_type(ScalarType.Bool);
        public Tensor @int() => to_type(ScalarType.Int32);
        public Tensor @long() => to_type(ScalarType.Int64);
        public Tensor half() => to_type(ScalarType.Float16);
        public Tensor bfloat16() => to_type(ScalarType.BFloat16);
        public Tensor @float() => to_type(ScalarType.Float32);
        public Tensor @double() => to_type(ScalarType.Float64);

        public Tensor clone() => Op.Call("clone", this);
        public Tensor alias() => new(Native.ts_alias(Handle));
        public Tensor contiguous() => Op.Call("contiguous", this);
        public Tensor copy_(Tensor source, bool nonBlocking = false) => Self("copy_", this, source, nonBlocking);
        public Tensor set_(Tensor source) => Self("set_.source_Tensor", this, source);

        /// <summary>Calls an operator that changes this tensor, its first argument.</summary>
        private Tensor Self(string op, params ReadOnlySpan<Arg> args)
        {
            Op.Mutate(op, args);
            return this;
        }
    }
}
