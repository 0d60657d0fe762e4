using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace TorchSharp;

/// <summary>The C ABI of standins/LibTorch. Handles are libtorch tensors, each owned by one managed tensor.</summary>
internal static unsafe partial class Native
{
    internal const string Library = "LibTorchStandIn";

    [LibraryImport(Library)] private static partial nint ts_error();
    [LibraryImport(Library)] internal static partial nint ts_version();
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial nint ts_operator(string name, string overload);
    [LibraryImport(Library)] internal static partial int ts_call(nint op, Value* values, int count, Value* results, int capacity);
    [LibraryImport(Library)] internal static partial void ts_free_tensors(nint items);
    [LibraryImport(Library)] internal static partial void ts_free(nint tensor);
    [LibraryImport(Library)] internal static partial nint ts_alias(nint tensor);
    [LibraryImport(Library), SuppressGCTransition] internal static partial long ts_property(nint tensor, int property);
    [LibraryImport(Library), SuppressGCTransition] internal static partial void ts_sizes(nint tensor, long* sizes, byte strides);
    [LibraryImport(Library)] internal static partial nint ts_data(nint tensor);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial int ts_save(nint tensor, string location);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial nint ts_load(string location);

    [LibraryImport(Library)] internal static partial nint ts_generator_new(ulong seed);
    [LibraryImport(Library)] internal static partial nint ts_generator_default();
    [LibraryImport(Library)] internal static partial void ts_generator_free(nint generator);
    [LibraryImport(Library)] internal static partial void ts_generator_set_seed(nint generator, ulong seed);
    [LibraryImport(Library)] internal static partial ulong ts_generator_seed(nint generator);
    [LibraryImport(Library)] internal static partial nint ts_generator_state(nint generator);
    [LibraryImport(Library)] internal static partial int ts_generator_set_state(nint generator, nint state);

    [LibraryImport(Library)] internal static partial int ts_threads(byte interop);
    [LibraryImport(Library)] internal static partial int ts_set_threads(int count, byte interop);
    [LibraryImport(Library)] internal static partial int ts_cuda_count();
    [LibraryImport(Library)] internal static partial byte ts_cuda_available();
    [LibraryImport(Library)] internal static partial byte ts_cudnn_available();
    [LibraryImport(Library)] internal static partial int ts_cuda_seed(ulong seed, byte all);
    [LibraryImport(Library)] internal static partial int ts_cuda_synchronize(long device);

    [LibraryImport(Library), SuppressGCTransition] internal static partial byte ts_grad_mode();
    [LibraryImport(Library), SuppressGCTransition] internal static partial void ts_set_grad_mode(byte enabled);
    [LibraryImport(Library)] internal static partial byte ts_inference_mode();
    [LibraryImport(Library)] internal static partial nint ts_inference_mode_new(byte enabled);
    [LibraryImport(Library)] internal static partial void ts_inference_mode_free(nint mode);
    [LibraryImport(Library)] internal static partial int ts_set_requires_grad(nint tensor, byte requires_grad);
    [LibraryImport(Library)] internal static partial int ts_retain_grad(nint tensor);
    [LibraryImport(Library)] internal static partial int ts_grad(nint tensor, out nint gradient);
    [LibraryImport(Library)] internal static partial int ts_set_grad(nint tensor, nint gradient);
    [LibraryImport(Library)]
    internal static partial int ts_backward(nint[] tensors, int count, nint[] gradients, int gradientCount, byte retainGraph, byte createGraph,
        nint[] inputs, int inputCount);
    [LibraryImport(Library)]
    internal static partial int ts_autograd_grad(nint[] outputs, int count, nint[] inputs, int inputCount, nint[] gradients, int gradientCount,
        byte retainGraph, byte createGraph, byte allowUnused, nint[] results);
    [LibraryImport(Library)]
    internal static partial nint ts_attention(nint query, nint key, nint value, nint mask, double p, byte causal);

    /// <summary>The exception for what libtorch threw last on this thread.</summary>
    internal static ExternalException Failure() => new(Marshal.PtrToStringUTF8(ts_error()));

    internal static void Check(int status)
    {
        if (status < 0) throw Failure();
    }

    internal static nint Check(nint handle) => handle != 0 ? handle : throw Failure();

    internal static byte Flag(bool value) => value ? (byte)1 : (byte)0;
}

internal enum Kind { None, Tensor, Integer, Number, Boolean, Integers, Tensors, Generator, Device, Text }

/// <summary>An argument or a result of an operator, laid out as in library.cpp.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Value
{
    internal Kind Kind;
    internal int Count;
    internal long Bits;

    internal readonly double Number => BitConverter.Int64BitsToDouble(Bits);
}

/// <summary>An argument of an operator that keeps what it refers to alive.</summary>
internal readonly struct Arg
{
    internal readonly Value Value;
    internal readonly object? Item;

    private Arg(Kind kind, long bits, object? item = null, int count = 0)
    {
        Value = new Value { Kind = kind, Bits = bits, Count = count };
        Item = item;
    }

    internal static readonly Arg None = default;

    /// <summary>A tensor that has no managed owner.</summary>
    internal static Arg Raw(nint handle) => new(Kind.Tensor, handle);

    public static implicit operator Arg(torch.Tensor? tensor) => tensor is null ? default : new(Kind.Tensor, tensor.Handle, tensor);
    public static implicit operator Arg(long value) => new(Kind.Integer, value);
    public static implicit operator Arg(long? value) => value is { } given ? new(Kind.Integer, given) : default;
    public static implicit operator Arg(double value) => new(Kind.Number, BitConverter.DoubleToInt64Bits(value));
    public static implicit operator Arg(double? value) => value is { } given ? given : default(Arg);
    public static implicit operator Arg(bool value) => new(Kind.Boolean, value ? 1 : 0);
    public static implicit operator Arg(Scalar? value) => value is null ? default : new(value.Kind, value.Bits);
    public static implicit operator Arg(torch.ScalarType? type) => type is { } given ? new(Kind.Integer, (long)given) : default;
    public static implicit operator Arg(torch.Device device) => new(Kind.Device, (long)device.type, null, device.index);
    public static implicit operator Arg(torch.Generator? generator) => generator is null ? default : new(Kind.Generator, generator.Handle, generator);
    public static implicit operator Arg(long[]? list) => list is null ? default : new(Kind.Integers, 0, list, list.Length);
    public static implicit operator Arg(torch.Tensor?[] list) => new(Kind.Tensors, 0, list, list.Length);
    public static implicit operator Arg(string? text) => text is null ? default : new(Kind.Text, 0, System.Text.Encoding.UTF8.GetBytes(text + '\0'));

    /// <summary>The 8-byte words this argument needs beside its value.</summary>
    internal int Words => Item switch { byte[] text => (text.Length + 7) / 8, Array list => list.Length, _ => 0 };
}

/// <summary>Calls an operator of libtorch by its name and overload, as in "add.Tensor".</summary>
internal static unsafe class Op
{
    private const int StackWords = 32;
    private static readonly System.Collections.Concurrent.ConcurrentDictionary<string, nint> Operators = new(ByReference.Instance);

    internal static torch.Tensor Call(string name, params ReadOnlySpan<Arg> args)
    {
        Value result;
        Invoke(name, args, &result, 1);
        return new torch.Tensor((nint)result.Bits);
    }

    /// <summary>For operators that change their first argument: the result is that same tensor again.</summary>
    internal static void Mutate(string name, params ReadOnlySpan<Arg> args) => Invoke(name, args, null, 0);

    internal static Value CallValue(string name, params ReadOnlySpan<Arg> args)
    {
        Value result;
        Invoke(name, args, &result, 1);
        return result;
    }

    internal static (torch.Tensor, torch.Tensor) CallPair(string name, params ReadOnlySpan<Arg> args)
    {
        Value* results = stackalloc Value[2];
        Invoke(name, args, results, 2);
        return (new torch.Tensor((nint)results[0].Bits), new torch.Tensor((nint)results[1].Bits));
    }

    internal static torch.Tensor[] CallList(string name, params ReadOnlySpan<Arg> args)
    {
        Value result;
        Invoke(name, args, &result, 1);
        var tensors = new torch.Tensor[result.Count];
        for (int i = 0; i < tensors.Length; i++) tensors[i] = new torch.Tensor(((nint*)result.Bits)[i]);
        Native.ts_free_tensors((nint)result.Bits);
        return tensors;
    }

    [SkipLocalsInit]
    private static void Invoke(string name, ReadOnlySpan<Arg> args, Value* results, int capacity)
    {
        Value* values = stackalloc Value[args.Length];
        int words = 0;
        for (int i = 0; i < args.Length; i++)
        {
            values[i] = args[i].Value;
            if (args[i].Item is not (null or torch.Tensor)) words += args[i].Words;
        }
        long* onStack = stackalloc long[StackWords];
        long[]? onHeap = words > StackWords ? new long[words] : null;
        fixed (long* heap = onHeap)
        {
            if (words > 0) Place(args, values, heap is null ? onStack : heap);
            if (Native.ts_call(Find(name), values, args.Length, results, capacity) < 0) throw Native.Failure();
        }
    }

    private static void Place(ReadOnlySpan<Arg> args, Value* values, long* room)
    {
        for (int i = 0; i < args.Length; i++)
        {
            switch (args[i].Item)
            {
                case long[] list: list.CopyTo(new Span<long>(room, list.Length)); break;
                case byte[] text: text.CopyTo(new Span<byte>(room, text.Length)); break;
                case torch.Tensor?[] list: for (int j = 0; j < list.Length; j++) room[j] = list[j]?.Handle ?? 0; break;
                default: continue;
            }
            values[i].Bits = (long)room;
            room += args[i].Words;
        }
    }

    private static nint Find(string name) => Operators.TryGetValue(name, out nint found) ? found : Load(name);

    private static nint Load(string name)
    {
        int dot = name.IndexOf('.');
        nint op = dot < 0 ? Native.ts_operator(name, "") : Native.ts_operator(name[..dot], name[(dot + 1)..]);
        if (op == 0) throw new NotSupportedException($"libtorch {torch.__version__} has no operator '{name}'.");
        return Operators[name] = op;
    }

    /// <summary>Names are literals, so that comparing references is enough, and fast.</summary>
    private sealed class ByReference : IEqualityComparer<string>
    {
        internal static readonly ByReference Instance = new();
        public bool Equals(string? x, string? y) => ReferenceEquals(x, y);
        public int GetHashCode(string name) => RuntimeHelpers.GetHashCode(name);
    }
}
