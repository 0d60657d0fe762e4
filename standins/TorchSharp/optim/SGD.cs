using TorchSharp.Modules;
using static TorchSharp.torch;

namespace TorchSharp.Modules
{
    public class SGD : OptimizerHelper
    {
        private readonly Dictionary<Parameter, Tensor> momenta = new(ReferenceEqualityComparer.Instance);

        public SGD(IEnumerable<Parameter> parameters, double lr, double momentum = 0.0, double dampening = 0, double weight_decay = 0, bool nesterov = false, bool maximize = false)
            : this([new ParamGroup { Parameters = parameters }], lr, momentum, dampening, weight_decay, nesterov, maximize) { }

        public SGD(IEnumerable<ParamGroup> parameters, double lr, double momentum = 0.0, double dampening = 0, double weight_decay = 0, bool nesterov = false, bool maximize = false)
        {
            if (lr < 0.0) throw new ArgumentException($"Invalid learning rate: {lr}");
            if (momentum < 0.0) throw new ArgumentException($"Invalid momentum value: {momentum}");
            if (weight_decay < 0.0) throw new ArgumentException($"Invalid weight_decay value: {weight_decay}");
            if (nesterov && (momentum <= 0 || dampening != 0)) throw new ArgumentException("Nesterov momentum requires a momentum and zero dampening");
            foreach (var group in parameters)
            {
                var options = (Options)(((Modules.ParamGroup)group).Options ??= new Options());
                options.LearningRate ??= lr;
                options.momentum ??= momentum;
                options.dampening ??= dampening;
                options.weight_decay ??= weight_decay;
                options.nesterov ??= nesterov;
                options.maximize ??= maximize;
                options.InitialLearningRate = options.LearningRate.Value;
                group.Parameters = group.Parameters.ToList();
                _parameter_groups.Add(group);
            }
        }

        public override Tensor step(Func<Tensor>? closure = null) => Step<ParamGroup>(closure, (group, parameter, gradient) =>
        {
            var options = group.Options;
            if (options.weight_decay!.Value != 0) gradient = gradient.add(parameter, options.weight_decay.Value);
            if (options.momentum!.Value != 0)
            {
                if (momenta.TryGetValue(parameter, out var buffer)) buffer.mul_(options.momentum.Value).add_(gradient, 1 - options.dampening!.Value);
                else momenta[parameter] = buffer = gradient.clone().DetachFromDisposeScope();
                gradient = options.nesterov!.Value ? gradient.add(buffer, options.momentum.Value) : buffer;
            }
            parameter.add_(gradient, options.maximize!.Value ? options.LearningRate!.Value : -options.LearningRate!.Value);
        });

        protected override void Dispose(bool disposing)
        {
            if (!disposing) return;
            foreach (var buffer in momenta.Values) buffer.Dispose();
            momenta.Clear();
        }

        public class Options : OptimizerOptions
        {
            public double? momentum;
            public double? dampening;
            public double? weight_decay;
            public bool? nesterov;
            public bool? maximize;
        }

        public class ParamGroup : ParamGroup<Options>
        {
            public ParamGroup() { }
            public ParamGroup(IEnumerable<Parameter> parameters, Options options) : base(parameters, options) { }
            public ParamGroup(IEnumerable<Parameter> parameters, double lr = 1e-3, double momentum = 0.0, double dampening = 0, double weight_decay = 0, bool nesterov = false, bool maximize = false)
                : base(parameters, new Options { LearningRate = lr, momentum = momentum, dampening = dampening, weight_decay = weight_decay, nesterov = nesterov, maximize = maximize }) { }
        }
    }
}

namespace TorchSharp
{
    public static partial class torch
    {
        public static partial class optim
        {
            public static SGD SGD(IEnumerable<Parameter> parameters, double learningRate, double momentum = 0, double dampening = 0, double weight_decay = 0, bool nesterov = false, bool maximize = false) =>
                new(parameters, learningRate, momentum, dampening, weight_decay, nesterov, maximize);
            public static SGD SGD(IEnumerable<(string name, Parameter parameter)> parameters, double learningRate, double momentum = 0, double dampening = 0, double weight_decay = 0, bool nesterov = false, bool maximize = false) =>
                new(parameters.Select(entry => entry.parameter), learningRate, momentum, dampening, weight_decay, nesterov, maximize);
            public static SGD SGD(IEnumerable<SGD.ParamGroup> parameters, double learningRate, double momentum = 0.0, double dampening = 0, double weight_decay = 0, bool nesterov = false, bool maximize = false) =>
                new(parameters, learningRate, momentum, dampening, weight_decay, nesterov, maximize);
        }
    }
}
