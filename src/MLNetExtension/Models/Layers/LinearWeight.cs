using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>
/// The weight of a linear layer as it is stored: in the type that the layer computes in or, frozen, in fewer bits. Products with the latter run in tiles of rows, each of which is converted into one small buffer, so that
/// the whole matrix never exists in the wider type. C inputs, R outputs, P positions.
/// </summary>
/// <param name="Values">[R,C].</param>
/// <param name="Scales">[R,1], what integers are multiplied by; null where the values are the weights themselves.</param>
internal readonly record struct LinearWeight(Tensor Values, Tensor? Scales = null)
{
    /// <summary>The largest integer.</summary>
    private const double Largest = 127;

    // Rows of zeros have it for a scale, so that nothing is divided by zero: float32's smallest normal number.
    private const double SmallestScale = 1.1754943508222875E-38;

    // Numbers of a tile: 1 MB of float32, which stays in a core's cache; a GPU wants few large products.
    private const long TileLength = 1 << 18, TileLengthOnGpu = 1 << 24;

    // Numbers of a matrix that are rounded at a time.
    private const long StoredLength = 1 << 16;

    [ThreadStatic]
    private static Tensor? _tile;

    /// <summary>R, the number of outputs.</summary>
    public long Outputs => Values.shape[0];

    /// <summary>C, the number of inputs.</summary>
    public long Inputs => Values.shape[1];

    /// <summary>Whether the values can be multiplied as they are.</summary>
    /// <param name="type">The type that is computed in.</param>
    public bool IsPlain(ScalarType type) => Scales is null && Values.dtype == type;

    /// <summary>Gives some rows without a gradient, [count,C]: a view where they are floating-point numbers, else a copy in the scales' type.</summary>
    /// <param name="first">The first row.</param>
    /// <param name="count">Number of rows.</param>
    public Tensor Rows(long first, long count)
    {
        using var _ = no_grad();
        Tensor rows = Values.detach().narrow(0, first, count);
        return Scales is null ? rows : rows.to(Scales.dtype).mul_(Scales.narrow(0, first, count));
    }

    /// <summary>Computes x W' with some rows, [...,C] to [...,count]; differentiable by the input, and by the weight where it is trained.</summary>
    /// <param name="input">x, [...,C].</param>
    /// <param name="first">The first row.</param>
    /// <param name="count">Number of rows.</param>
    public Tensor Apply(Tensor input, long first, long count)
    {
        if (IsPlain(input.dtype))
            return MatrixProduct.Multiply(input, count == Outputs ? Values : Values.narrow(0, first, count));
        return input.requires_grad && is_grad_enabled() ? TiledProduct.apply(input, this, first, count) : Compute(input, first, count);
    }

    /// <summary>Computes x W' + b with some rows into a matrix, without a gradient.</summary>
    /// <param name="output">[P,count]; need not be contiguous or initialized.</param>
    /// <param name="input">x, [P,C], of the same type.</param>
    /// <param name="first">The first row.</param>
    /// <param name="bias">b, [count]; null for none.</param>
    public void Write(Tensor output, Tensor input, long first, Tensor? bias)
    {
        using var _ = no_grad();
        ForEachTile(first, output.shape[1], input.dtype, (tile, start) =>
            MatrixProduct.Write(output.narrow(1, start, tile.shape[0]), input, tile, bias?.narrow(0, start, tile.shape[0])));
    }

    /// <summary>Computes dy W with some rows, [P,count] to [P,C], without a gradient.</summary>
    /// <param name="gradient">dy, [P,count].</param>
    /// <param name="first">The first row.</param>
    public Tensor MultiplyBack(Tensor gradient, long first)
    {
        Tensor result = empty(gradient.shape[0], Inputs, dtype: gradient.dtype, device: gradient.device);
        WriteBack(result, gradient, first);
        return result;
    }

    /// <summary>Computes dy W with some rows into a matrix, without a gradient.</summary>
    /// <param name="result">[P,C]; need not be initialized.</param>
    /// <param name="gradient">dy, [P,count].</param>
    /// <param name="first">The first row.</param>
    public void WriteBack(Tensor result, Tensor gradient, long first)
    {
        using var _ = no_grad();
        ForEachTile(first, gradient.shape[1], gradient.dtype, (tile, start) =>
        {
            Tensor part = gradient.narrow(1, start, tile.shape[0]);
            if (start == 0)
                MatrixProduct.WriteBack(result, part, tile);
            else
                MatrixProduct.AddBack(result, part, tile);
        });
    }

    /// <summary>Stores weights in some rows, rounded to what they are stored in.</summary>
    /// <param name="first">The first row.</param>
    /// <param name="weights">[count,C], finite.</param>
    public void Store(long first, Tensor weights)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Tensor rows = Values.detach().narrow(0, first, weights.shape[0]);
        if (Scales is null)
        {
            rows.copy_(weights);
            return;
        }
        // In pieces, so that nothing of the matrix's size is made on the way: of what is freed, the C library's allocator keeps holes.
        long most = Math.Max(1, StoredLength / Inputs);
        for (long start = 0; start < weights.shape[0]; start += most)
        {
            using var piece = NewDisposeScope();
            long count = Math.Min(most, weights.shape[0] - start);
            Tensor wide = weights.detach().narrow(0, start, count).to(Scales.dtype), scales = Scales.narrow(0, first + start, count);
            scales.copy_(wide.abs().amax([1], keepdim: true).div_(Scalars.Of(Largest)).clamp_min_(Scalars.Of(SmallestScale)));
            rows.narrow(0, start, count).copy_((wide / scales).round_().clamp_(Scalars.Of(-Largest), Scalars.Of(Largest)));
        }
    }

    private Tensor Compute(Tensor input, long first, long count)
    {
        Tensor output = empty([.. input.shape[..^1], count], dtype: input.dtype, device: input.device);
        Write(output.view(-1, count), input.reshape(-1, Inputs), first, bias: null);
        return output;
    }

    // Calls with [rows,C] and where they begin after the first. A tile is valid until the call returns.
    private void ForEachTile(long first, long count, ScalarType type, Action<Tensor, long> visit)
    {
        using var scope = NewDisposeScope();
        if (IsPlain(type))
        {
            visit(Values.detach().narrow(0, first, count), 0);
            return;
        }
        long most = Math.Max(1, (Values.device_type == TorchSharp.DeviceType.CPU ? TileLength : TileLengthOnGpu) / Inputs);
        Tensor buffer = TileBuffer(Math.Min(most, count), type);
        for (long start = 0; start < count; start += most)
        {
            using var step = NewDisposeScope();
            long rows = Math.Min(most, count - start);
            Tensor tile = buffer.narrow(0, 0, rows).copy_(Values.narrow(0, first + start, rows));
            if (Scales is not null)
                tile.mul_(Scales.narrow(0, first + start, rows));
            visit(tile, start);
        }
    }

    // One for each thread, which all products take in turn: of many that are freed, the C library's allocator keeps holes. On a GPU a new one, which its own allocator finds again.
    private Tensor TileBuffer(long rows, ScalarType type)
    {
        if (Values.device_type != TorchSharp.DeviceType.CPU)
            return empty(rows, Inputs, dtype: type, device: Values.device);
        if (_tile is null || _tile.IsInvalid || _tile.dtype != type || _tile.numel() < rows * Inputs)
        {
            _tile?.Dispose();
            _tile = empty(Math.Max(TileLength, rows * Inputs), dtype: type).DetachFromDisposeScope();
        }
        return _tile.narrow(0, 0, rows * Inputs).view(rows, Inputs);
    }

    /// <summary>The product for automatic differentiation: it keeps nothing, since the weight is frozen.</summary>
    internal sealed class TiledProduct : autograd.SingleTensorFunction<TiledProduct>
    {
        private const string WeightKey = "weight", FirstKey = "first";

        /// <inheritdoc/>
        public override string Name => nameof(TiledProduct);

        /// <inheritdoc/>
        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
        {
            var (weight, first) = ((LinearWeight)vars[1], (long)vars[2]);
            ctx.save_data(WeightKey, weight);
            ctx.save_data(FirstKey, first);
            return weight.Compute((Tensor)vars[0], first, (long)vars[3]);
        }

        /// <inheritdoc/>
        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
        {
            var weight = (LinearWeight)ctx.get_data(WeightKey);
            Tensor gradient = weight.MultiplyBack(grad_output.flatten(0, -2), (long)ctx.get_data(FirstKey));
            return [gradient.view([.. grad_output.shape[..^1], weight.Inputs]), null!, null!, null!];
        }
    }
}
