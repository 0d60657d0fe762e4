using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>What of a gradient goes back through an adapter to the layer's input. P positions, C inputs, r rank.</summary>
/// <param name="Adapter">The adapter.</param>
/// <param name="Narrow">Of the first product, [P,r].</param>
/// <param name="InitialNarrow">The same for the product that is taken off, [P,r]; null for none.</param>
/// <param name="Kept">What dropout kept in the forward pass; null for none.</param>
/// <param name="Extra">What goes back beside the matrices, [P,C]; null for nothing.</param>
internal readonly record struct AdapterGradient(LowRankAdapter Adapter, Tensor Narrow, Tensor? InitialNarrow, Tensor? Kept, Tensor? Extra)
{
    /// <summary>Adds it to the gradient of the layer's input.</summary>
    /// <param name="inputGradient">[P,C].</param>
    public void AddTo(Tensor inputGradient)
    {
        using var scope = NewDisposeScope();
        if (Kept is null && InitialNarrow is null && inputGradient.dtype == Adapter.A.dtype)
        {
            inputGradient.addmm_(Narrow, Adapter.A);
            return;
        }
        Tensor sum = Narrow.mm(Adapter.A);
        if (InitialNarrow is not null)
            sum.sub_(InitialNarrow.mm(Adapter.Initial!.Value.A));
        if (Extra is not null)
            sum.add_(Extra, Scalars.One);
        inputGradient.add_(Kept is null ? sum : Adapter.ApplyDropout(sum, Kept), Scalars.One);
    }
}
