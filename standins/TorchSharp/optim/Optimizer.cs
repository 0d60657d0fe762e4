using TorchSharp.Modules;
using static TorchSharp.torch;

namespace TorchSharp
{
    public static partial class torch
    {
        public static partial class optim
        {
            public abstract partial class Optimizer : IDisposable
            {
                protected IList<ParamGroup> _parameter_groups = [];

                private protected Optimizer() { }

                ~Optimizer() => Dispose(false);

                public void Dispose()
                {
                    Dispose(true);
                    GC.SuppressFinalize(this);
                }

                protected virtual void Dispose(bool disposing) { }

                public virtual Tensor step(Func<Tensor>? closure = null) => throw new NotImplementedException(nameof(step));
                public virtual void zero_grad() => throw new NotImplementedException(nameof(zero_grad));
                public virtual IEnumerable<ILearningRateController> ParamGroups => _parameter_groups;
                public virtual IEnumerable<Parameter> parameters() => _parameter_groups.SelectMany(group => group.Parameters);
            }

            public interface ILearningRateController
            {
                double LearningRate { get; set; }
                double InitialLearningRate { get; set; }
            }
        }
    }
}

namespace TorchSharp.Modules
{
    public class OptimizerOptions
    {
        public double? LearningRate { get; set; }
        public double InitialLearningRate { get; set; }
    }

    public class ParamGroup : optim.ILearningRateController
    {
        public IEnumerable<Parameter> Parameters { get; set; } = [];
        public OptimizerOptions Options { get; set; } = null!;
        public double LearningRate { get => Options.LearningRate!.Value; set => Options.LearningRate = value; }
        public double InitialLearningRate { get => Options.InitialLearningRate; set => Options.InitialLearningRate = value; }
    }

    public class ParamGroup<TOptions> : ParamGroup where TOptions : OptimizerOptions
    {
        public ParamGroup() { }

        public ParamGroup(IEnumerable<Parameter> parameters, TOptions? options = null)
        {
            Parameters = parameters;
            base.Options = options!;
        }

        public new TOptions Options { get => (TOptions)base.Options; set => base.Options = value; }
    }

    public abstract class OptimizerHelper : optim.Optimizer
    {
        public OptimizerHelper() { }

        public override void zero_grad()
        {
            foreach (var parameter in parameters())
            {
                using var gradient = parameter.grad;
                gradient?.zero_().Dispose();
            }
        }

        /// <summary>Calls the body for every parameter that has a gradient, after the closure and without recording gradients.</summary>
        private protected Tensor Step<TGroup>(Func<Tensor>? closure, Action<TGroup, Parameter, Tensor> body) where TGroup : ParamGroup
        {
            Tensor? loss = null;
            if (closure is not null) using (enable_grad()) loss = closure();
            using var noGradients = no_grad();
            using var scope = NewDisposeScope();
            foreach (var group in _parameter_groups)
                foreach (var parameter in group.Parameters)
                    if (parameter.grad is { } gradient) body((TGroup)group, parameter, gradient);
            return loss!;
        }
    }
}
