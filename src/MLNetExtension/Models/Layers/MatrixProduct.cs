using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>The products of linear layers and of the head: y = x W' + b, dx = dy W, dW = dy' x. Of float32 on the CPU by <see cref="WideProduct"/> where that is faster than libtorch. P positions, C inputs, R outputs.</summary>
internal static class MatrixProduct
{
    /// <summary>Computes x W' + b, [...,C] to [...,R]; differentiable where a gradient is recorded.</summary>
    /// <param name="input">x, [...,C].</param>
    /// <param name="weight">W, [R,C], of the same type.</param>
    /// <param name="bias">b, [R]; null for none.</param>
    public static Tensor Multiply(Tensor input, Tensor weight, Tensor? bias = null)
    {
        if (is_grad_enabled() || !Suits(input, weight))
            return nn.functional.linear(input, weight, bias);
        long inputs = weight.shape[1], outputs = weight.shape[0];
        Tensor output = empty([.. input.shape[..^1], outputs]);
        using Tensor rows = output.view(-1, outputs), x = input.reshape(-1, inputs);
        Write(rows, x, weight, bias);
        return output;
    }

    /// <summary>Computes x W' + b into a matrix, without a gradient.</summary>
    /// <param name="output">[P,R]; need not be contiguous or initialized.</param>
    /// <param name="input">x, [P,C].</param>
    /// <param name="weight">W, [R,C], of the same type.</param>
    /// <param name="bias">b, [R]; null for none.</param>
    public static void Write(Tensor output, Tensor input, Tensor weight, Tensor? bias)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        if (Suits(input, weight) && HasRows(output))
            WideProduct.Compute(output, input, weight.t(), bias);
        else if (bias is null)
            output.addmm_(input, weight.t(), beta: 0);
        else
            output.copy_(bias).addmm_(input, weight.t());
    }

    /// <summary>Computes dy W into a matrix, without a gradient.</summary>
    /// <param name="result">[P,C]; need not be initialized.</param>
    /// <param name="gradient">dy, [P,R].</param>
    /// <param name="weight">W, [R,C], of the same type.</param>
    public static void WriteBack(Tensor result, Tensor gradient, Tensor weight)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        if (Suits(gradient, weight) && HasRows(result))
            WideProduct.Compute(result, gradient, weight);
        else
            result.addmm_(gradient, weight, beta: 0);
    }

    /// <summary>Adds dy W to a matrix, without a gradient.</summary>
    /// <param name="sum">[P,C].</param>
    /// <param name="gradient">dy, [P,R].</param>
    /// <param name="weight">W, [R,C], of the same type.</param>
    public static void AddBack(Tensor sum, Tensor gradient, Tensor weight) => Add(sum, gradient, weight);

    /// <summary>Adds dy' x to a matrix, without a gradient: the gradient of a weight, summed over positions.</summary>
    /// <param name="sum">[R,C]; of a wider type where products are in half precision: then each is rounded once, and no sum is.</param>
    /// <param name="gradient">dy, [P,R].</param>
    /// <param name="input">x, [P,C], of the same type.</param>
    public static void AddOuter(Tensor sum, Tensor gradient, Tensor input)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        if (sum.dtype == gradient.dtype)
            Add(sum, gradient.t(), input);
        else
            sum.add_(gradient.t().mm(input), Scalars.One);
    }

    private static void Add(Tensor sum, Tensor left, Tensor right)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        if (Suits(left, right) && HasRows(sum))
            WideProduct.Compute(sum, left, right, adds: true);
        else
            sum.addmm_(left, right);
    }

    private static bool Suits(Tensor left, Tensor right) => WideProduct.IsFaster && MatrixView.Suits(left) && MatrixView.Suits(right) && left.numel() >= WideProduct.LeastElements && right.numel() >= WideProduct.LeastElements;

    private static bool HasRows(Tensor tensor) => MatrixView.Suits(tensor) && tensor.stride(1) == 1;
}
