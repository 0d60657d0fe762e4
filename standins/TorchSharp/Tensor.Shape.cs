namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        public Tensor view(params long[] shape) => Op.Call("view", this, shape);
        public Tensor view_as(Tensor other) => Op.Call("view_as", this, other);
        public Tensor reshape(params long[] shape) => Op.Call("reshape", this, shape);
        public Tensor flatten(long start_dim = 0, long end_dim = -1) => Op.Call("flatten.using_ints", this, start_dim, end_dim);
        public Tensor squeeze(long? dim = null) => dim is null ? Op.Call("squeeze", this) : Op.Call("squeeze.dim", this, dim);
        public Tensor squeeze_(long? dim = null) => dim is null ? Self("squeeze_", this) : Self("squeeze_.dim", this, dim);
        public Tensor unsqueeze(long dim) => Op.Call("unsqueeze", this, dim);
        public Tensor unsqueeze_(long dim) => Self("unsqueeze_", this, dim);
        public Tensor t() => Op.Call("t", this);
        public Tensor transpose(long dim0, long dim1) => Op.Call("transpose.int", this, dim0, dim1);
        public Tensor transpose_(long dim0, long dim1) => Self("transpose_", this, dim0, dim1);
        public Tensor permute(params long[] permutation) => Op.Call("permute", this, permutation);
        public Tensor expand(ReadOnlySpan<long> sizes, bool isImplicit = false) => Op.Call("expand", this, sizes.ToArray(), isImplicit);
        public Tensor expand(Size sizes, bool isImplicit = false) => Op.Call("expand", this, sizes.Shape, isImplicit);
        public Tensor expand(long[] sizes, bool isImplicit = false) => Op.Call("expand", this, sizes, isImplicit);
        public Tensor expand(params long[] sizes) => Op.Call("expand", this, sizes);
        public Tensor expand_as(Tensor other) => expand(other.shape);
        public Tensor repeat(params long[] sizes) => Op.Call("repeat", this, sizes);
        public Tensor repeat_interleave(long repeats, long? dim = null, long? output_size = null) =>
            Op.Call("repeat_interleave.self_int", this, repeats, dim, output_size);
        public Tensor narrow(long dim, long start, long length) => Op.Call("narrow", this, dim, start, length);
        public Tensor slice(long dim, long start, long finish, long step) => Op.Call("slice.Tensor", this, dim, start, finish, step);
        public Tensor select(long dim, long index) => Op.Call("select.int", this, dim, index);
        public Tensor[] split(long size, int dim = 0) => Op.CallList("split.Tensor", this, size, (long)dim);
        public Tensor[] split(long[] sizes, long dim = 0) => Op.CallList("split_with_sizes", this, sizes, dim);
        public Tensor[] chunk(long chunks, long dim = 0L) => Op.CallList("chunk", this, chunks, dim);
        public Tensor[] unbind(long dimension = 0L) => Op.CallList("unbind.int", this, dimension);
        public Tensor tril(long diagonal = 0) => Op.Call("tril", this, diagonal);
        public Tensor tril_(long diagonal = 0) => Op.Call("tril_", this, diagonal);
        public Tensor triu(long diagonal = 0) => Op.Call("triu", this, diagonal);
        public Tensor triu_(long diagonal = 0) => Op.Call("triu_", this, diagonal);

        public Tensor gather(long dim, Tensor index) => Op.Call("gather", this, dim, index);
        public Tensor scatter(long dim, Tensor index, Tensor src) => Op.Call("scatter.src", this, dim, index, src);
        public Tensor scatter_(long dim, Tensor index, Tensor src) => Self("scatter_.src", this, dim, index, src);
        public Tensor scatter_add(long dim, Tensor index, Tensor src) => Op.Call("scatter_add", this, dim, index, src);
        public Tensor scatter_add_(long dim, Tensor index, Tensor src) => Self("scatter_add_", this, dim, index, src);
        public Tensor index_select(long dim, Tensor index) => Op.Call("index_select", this, dim, index);
        public Tensor index_add(long dim, Tensor index, Tensor source, Scalar alpha) => Op.Call("index_add", this, dim, Int64(index), source, alpha);
        public Tensor index_add_(long dim, Tensor index, Tensor source, Scalar alpha) => Self("index_add_", this, dim, Int64(index), source, alpha);
        public Tensor index_copy(long dim, Tensor index, Tensor source) => Op.Call("index_copy", this, dim, Int64(index), source);
        public Tensor index_copy_(long dim, Tensor index, Tensor source) => Self("index_copy_", this, dim, Int64(index), source);
        public Tensor masked_fill(Tensor mask, Scalar value) => Op.Call("masked_fill.Scalar", this, mask, value);
        public Tensor masked_fill_(Tensor mask, Scalar value) => Self("masked_fill_.Scalar", this, mask, value);
        public Tensor where(Tensor condition, Tensor y) => Op.Call("where.self", condition, this, y);
        public Tensor nonzero() => Op.Call("nonzero", this);

        private static Tensor Int64(Tensor index) =>
            index.dtype == ScalarType.Int64 ? index : throw new ArgumentException("Element type of 'index' must be 'Int64'");

        public Tensor fill_(Scalar value) => Self("fill_.Scalar", this, value);
        public Tensor zero_() => zeros(shape);
        public Tensor zeros(params long[] sizes) => Op.Call("zeros.out", sizes, this);
        public Tensor ones(params long[] sizes) => Op.Call("ones.out", sizes, this);

        public Tensor zeros_like(ScalarType? dtype = null, Device? device = null, bool requires_grad = false) => Like("zeros_like", dtype, device, requires_grad);
        public Tensor ones_like(ScalarType? dtype = null, Device? device = null, bool requires_grad = false) => Like("ones_like", dtype, device, requires_grad);
        public Tensor empty_like(ScalarType? dtype = null, Device? device = null, bool requires_grad = false) => Like("empty_like", dtype, device, requires_grad);
        public Tensor rand_like(ScalarType? dtype = null, Device? device = null, bool requires_grad = false) => Like("rand_like", dtype, device, requires_grad);
        public Tensor randn_like(ScalarType? dtype = null, Device? device = null, bool requires_grad = false) => Like("randn_like", dtype, device, requires_grad);
        public Tensor full_like(Scalar value, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
            Op.Call("full_like", this, value, dtype ?? this.dtype, Arg.None, device ?? this.device).Requiring(requires_grad);
        public Tensor new_zeros(long[] size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
            Make("zeros", size, dtype ?? this.dtype, device ?? this.device, requires_grad);
        public Tensor new_empty(long[] size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
            Make("empty.memory_format", size, dtype ?? this.dtype, device ?? this.device, requires_grad);

        private Tensor Like(string op, ScalarType? dtype, Device? device, bool requires_grad) =>
            Op.Call(op, this, dtype ?? this.dtype, Arg.None, device ?? this.device).Requiring(requires_grad);

        internal Tensor Requiring(bool gradient) => gradient ? requires_grad_() : this;

        public Tensor normal_(double mean = 0.0, double std = 1.0, Generator? generator = null) => Self("normal_", this, mean, std, generator);
        public Tensor uniform_(double from, double to, Generator? generator = null) => Self("uniform_", this, from, to, generator);
        public Tensor bernoulli(Generator? generator = null) => Op.Call("bernoulli", this, generator);
        public Tensor bernoulli_(double p = 0.5, Generator? generator = null) => Self("bernoulli_.float", this, p, generator);
        public Tensor multinomial(long num_samples, bool replacement = false, Generator? generator = null) =>
            Op.Call("multinomial", this, num_samples, replacement, generator);
    }
}
