using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace TorchSharp;

public static partial class torch
{
    public unsafe partial class Tensor
    {
        /// <summary>An index as library.cpp has it.</summary>
        [StructLayout(LayoutKind.Sequential)]
        private struct NativeIndex
        {
            internal long Kind, Start, Stop, Step;
            internal nint Tensor;

            internal static NativeIndex Of(TensorIndex index) => new()
            {
                Kind = index.kind switch
                {
                    TensorIndex.Kind.Single => 1, TensorIndex.Kind.Ellipsis => 2, TensorIndex.Kind.Bool => 3,
                    TensorIndex.Kind.Tensor => 4, TensorIndex.Kind.Slice => 5, _ => 0,
                },
                Start = index.start ?? long.MinValue, Stop = index.stop ?? long.MinValue, Step = index.step ?? long.MinValue,
                Tensor = index.tensor?.Handle ?? 0,
            };
        }

        public Tensor index(params TensorIndex[] indices)
        {
            var native = Array.ConvertAll(indices, NativeIndex.Of);
            fixed (NativeIndex* first = native)
            {
                nint found = Native.Check(ts_index(Handle, first, native.Length));
                GC.KeepAlive(indices);
                return new Tensor(found);
            }
        }

        public Tensor index_put_(Tensor value, params TensorIndex[] indices)
        {
            var native = Array.ConvertAll(indices, NativeIndex.Of);
            fixed (NativeIndex* first = native) Native.Check(ts_index_put(Handle, first, native.Length, value.Handle));
            GC.KeepAlive(indices);
            GC.KeepAlive(value);
            return this;
        }

        public Tensor index_put_(Scalar value, params TensorIndex[] indices)
        {
            var native = Array.ConvertAll(indices, NativeIndex.Of);
            byte whole = Native.Flag(value.Kind != Kind.Number);
            fixed (NativeIndex* first = native)
                Native.Check(ts_index_fill(Handle, first, native.Length, whole, value.Bits, BitConverter.Int64BitsToDouble(value.Bits)));
            GC.KeepAlive(indices);
            return this;
        }

        public Tensor index_put_(Tensor value, Tensor[] indices, bool accumulate = false) => Self("index_put_", this, indices, value, accumulate);
        public Tensor index_put_(Tensor value, params Tensor[] indices) => Self("index_put_", this, indices, value, false);
        public Tensor index_put_(Scalar value, params Tensor[] indices) => index_put_(value, Array.ConvertAll(indices, TensorIndex.Tensor));
        public Tensor index(params Tensor[] indices) => Op.Call("index.Tensor", this, indices);

        [IndexerName("TensorItems")]
        public Tensor this[params TensorIndex[] indices] { get => index(indices); set => index_put_(value, indices); }

        [IndexerName("TensorItems")]
        public Tensor this[params Tensor[] indices] { get => index(indices); set => index_put_(value, indices); }

        [IndexerName("TensorItems")]
        public Tensor this[params long[] indices]
        {
            get => index(Array.ConvertAll(indices, i => TensorIndex.Single(i)));
            set => index_put_(value, Array.ConvertAll(indices, i => TensorIndex.Single(i)));
        }

        [IndexerName("TensorItems")]
        public Tensor this[long i1] { get => At([i1]); set => Put([i1], value); }

        [IndexerName("TensorItems")]
        public Tensor this[long i1, long i2] { get => At([i1, i2]); set => Put([i1, i2], value); }

        [IndexerName("TensorItems")]
        public Tensor this[long i1, long i2, long i3] { get => At([i1, i2, i3]); set => Put([i1, i2, i3], value); }

        [IndexerName("TensorItems")]
        public Tensor this[long i1, long i2, long i3, long i4] { get => At([i1, i2, i3, i4]); set => Put([i1, i2, i3, i4], value); }

        private nint Select(ReadOnlySpan<long> positions)
        {
            fixed (long* first = positions) return Native.Check(ts_select(Handle, first, positions.Length));
        }

        private Tensor At(ReadOnlySpan<long> positions) => new(Select(positions));

        private void Put(ReadOnlySpan<long> positions, Tensor value)
        {
            nint part = Select(positions);
            try { Native.Check(ts_copy(part, value.Handle)); }
            finally { Native.ts_free(part); }
            GC.KeepAlive(value);
        }

        [LibraryImport(Native.Library)] private static partial nint ts_index(nint tensor, NativeIndex* items, int count);
        [LibraryImport(Native.Library)] private static partial int ts_index_put(nint tensor, NativeIndex* items, int count, nint value);
        [LibraryImport(Native.Library)]
        private static partial int ts_index_fill(nint tensor, NativeIndex* items, int count, byte whole, long integer, double number);
        [LibraryImport(Native.Library)] private static partial nint ts_select(nint tensor, long* positions, int count);
        [LibraryImport(Native.Library)] private static partial int ts_copy(nint tensor, nint source);
    }
}
