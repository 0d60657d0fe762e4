using TorchSharp.Modules;
using static TorchSharp.torch;

namespace TorchSharp.Modules
{
    public class AdamW : OptimizerHelper
    {
        private sealed class State(Tensor average, Tensor square, Tensor? largest)
        {
            internal readonly Tensor Average = average, Square = square;
            internal readonly Tensor? Largest = largest;
            internal long Step;
        }

        private readonly Dictionary<Parameter, State> states = new(ReferenceEqualityComparer.Instance);

        public AdamW(IEnumerable<Parameter> parameters, double lr = 1e-3, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8, double weight_decay = 0, bool amsgrad = false, bool maximize = false)
            : this([new ParamGroup { Parameters = parameters }], lr, beta1, beta2, eps, weight_decay, amsgrad, maximize) { }

        public AdamW(IEnumerable<ParamGroup> parameters, double lr = 1e-3, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8, double weight_decay = 0, bool amsgrad = false, bool maximize = false)
        {
            if (lr < 0) throw new ArgumentException($"Invalid learning rate: {lr}");
            if (eps < 0) throw new ArgumentException($"Invalid ε: {eps}");
            if (beta1 is < 0 or >= 1.0) throw new ArgumentException($"Invalid beta1: {beta1}");
            if (beta2 is < 0 or >= 1.0) throw new ArgumentException($"Invalid beta2: {beta2}");
            if (weight_decay < 0.0) throw new ArgumentException($"Invalid weight_decay value: {weight_decay}");
            foreach (var group in parameters)
            {
                var options = (Options)(((Modules.ParamGroup)group).Options ??= new Options());
                options.LearningRate ??= lr;
                options.beta1 ??= beta1;
                options.beta2 ??= beta2;
                options.eps ??= eps;
                options.weight_decay ??= weight_decay;
                options.amsgrad ??= amsgrad;
                options.maximize ??= maximize;
                options.InitialLearningRate = options.LearningRate.Value;
                group.Parameters = group.Parameters.ToList();
                _parameter_groups.Add(group);
                foreach (var parameter in group.Parameters)
                {
                    Tensor Zeros() => zeros_like(parameter).DetachFromDisposeScope();
                    states[parameter] = new State(Zeros(), Zeros(), options.amsgrad.Value ? Zeros() : null);
                }
            }
        }

        public override Tensor step(Func<Tensor>? closure = null) => Step<ParamGroup>(closure, (group, parameter, gradient) =>
        {
            var options = group.Options;
            var state = states[parameter];
            if (options.maximize!.Value) gradient = -gradient;
            double beta1 = options.beta1!.Value, beta2 = options.beta2!.Value, lr = options.LearningRate!.Value;
            state.Step++;
            parameter.mul_(1 - lr * options.weight_decay!.Value);
            state.Average.mul_(beta1).add_(gradient, 1 - beta1);
            state.Square.mul_(beta2).addcmul_(gradient, gradient, 1 - beta2);
            state.Largest?.copy_(state.Largest.maximum(state.Square));
            double correction1 = 1 - Math.Pow(beta1, state.Step), correction2 = 1 - Math.Pow(beta2, state.Step);
            var denominator = ((state.Largest ?? state.Square).sqrt() / Math.Sqrt(correction2)).add_(options.eps!.Value);
            parameter.addcdiv_(state.Average, denominator, -lr / correction1);
        });

        protected override void Dispose(bool disposing)
        {
            if (!disposing) return;
            foreach (var state in states.Values)
            {
                state.Average.Dispose();
                state.Square.Dispose();
                state.Largest?.Dispose();
            }
        }

        public class Options : OptimizerOptions
        {
            public double? beta1;
            public double? beta2;
            public double? weight_decay;
            public double? eps;
            public bool? amsgrad;
            public bool? maximize;
        }

        public class ParamGroup : ParamGroup<Options>
        {
            public ParamGroup() { }
            public ParamGroup(IEnumerable<Parameter> parameters, Options options) : base(parameters, options) { }
            public ParamGroup(IEnumerable<Parameter> parameters, double lr = 1e-3, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8, double weight_decay = 0, bool amsgrad = false, bool maximize = false)
                : base(parameters, new Options { LearningRate = lr, beta1 = beta1, beta2 = beta2, eps = eps, weight_decay = weight_decay, amsgrad = amsgrad, maximize = maximize }) { }
        }
    }
}

namespace TorchSharp
{
    public static partial class torch
    {
        public static partial class optim
        {
            public static AdamW AdamW(IEnumerable<Parameter> parameters, double lr = 1e-3, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8, double weight_decay = 0, bool amsgrad = false, bool maximize = false) =>
                new(parameters, lr, beta1, beta2, eps, weight_decay, amsgrad, maximize);
            public static AdamW AdamW(IEnumerable<(string name, Parameter parameter)> parameters, double lr = 1e-3, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8, double weight_decay = 0, bool amsgrad = false, bool maximize = false) =>
                new(parameters.Select(entry => entry.parameter), lr, beta1, beta2, eps, weight_decay, amsgrad, maximize);
            public static AdamW AdamW(IEnumerable<AdamW.ParamGroup> parameters, double lr = 1e-3, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8, double weight_decay = 0, bool amsgrad = false, bool maximize = false) =>
                new(parameters, lr, beta1, beta2, eps, weight_decay, amsgrad, maximize);
        }
    }
}
