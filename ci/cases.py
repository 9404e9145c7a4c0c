"""template.yaml as CloudFormation would see it: with parameters given, every condition decided and nothing left of either."""

import re

import yaml

PSEUDO = {
    "AWS::Partition": "aws", "AWS::Region": "eu-west-1", "AWS::AccountId": "123456789012", "AWS::StackName": "calven-bridge",
    "AWS::URLSuffix": "amazonaws.com",
}
KEY = "arn:aws:kms:eu-west-1:123456789012:key/own"
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:"
# What a deployment may look like: one with the defaults, one with everything, and one with what neither has.
CASES = {
    "defaults": {"CalvenSecretId": "calven-bridge/calven"},
    "everything": {
        "CalvenSecretId": f"{SECRET}calven-AbCdEf", "SourceSecretArns": f"{SECRET}hris-AbCdEf,{SECRET}api-??????",
        "SecretsKmsKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/secrets", "KmsKeyArn": KEY, "Queue": "true",
        "CapillaryBaseUrl": "https://capillary.example", "CapillarySecretId": "calven-bridge/capillary",
        "RedriveRoleArn": "arn:aws:iam::123456789012:role/operators", "AlarmTopicArn": "arn:aws:sns:eu-west-1:123456789012:alarms",
    },
    "http-api": {
        "CalvenSecretId": "calven-bridge/calven", "Endpoint": "HttpApi", "Queue": "drain", "ScheduleExpression": "",
        "Dashboard": "false", "SilenceHours": "0",
    },
}


class Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms, as their long ones."""


def short_form(loader, suffix, node):
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    value = loader.construct_scalar(node)
    return {name: value.split(".", 1) if suffix == "GetAtt" else value}


Loader.add_multi_constructor("!", short_form)
NOTHING = object()


class Case:
    """The template with parameters given: no conditions left, and no parameter."""

    def __init__(self, template, given):
        declared = template["Parameters"]
        unknown = given.keys() - declared.keys()
        if unknown:
            raise SystemExit(f"no such parameters: {sorted(unknown)}")
        self.values = PSEUDO | {name: str(given.get(name, about.get("Default", ""))) for name, about in declared.items()}
        self.lists = {name for name, about in declared.items() if about["Type"] == "CommaDelimitedList"}
        self.conditions = template["Conditions"]
        there = {
            name: resource for name, resource in template["Resources"].items()
            if "Condition" not in resource or self.decided({"Condition": resource["Condition"]})
        }
        self.resources = {name: self.resolved(resource) for name, resource in there.items()}
        for resource in self.resources.values():
            resource.pop("Condition", None)

    def decided(self, condition):
        (name, value), = condition.items()
        if name == "Condition":
            return self.decided(self.conditions[value])
        if name == "Fn::Equals":
            left, right = (self.resolved(side) for side in value)
            return str(left) == str(right)
        if name == "Fn::Not":
            return not self.decided(value[0])
        if name in ("Fn::And", "Fn::Or"):
            return (all if name == "Fn::And" else any)(self.decided(each) for each in value)
        raise SystemExit(f"a condition of an unknown kind: {name}")

    def resolved(self, node):
        if isinstance(node, list):
            return [each for each in map(self.resolved, node) if each is not NOTHING]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            (name, value), = node.items()
            if name == "Ref" and value == "AWS::NoValue":
                return NOTHING
            if name == "Ref" and value in self.lists:
                return [each for each in self.values[value].split(",") if each]
            if name == "Ref" and value in self.values:
                return self.values[value]
            if name == "Fn::If":
                return self.resolved(value[1] if self.decided({"Condition": value[0]}) else value[2])
            if name == "Fn::Sub" and isinstance(value, str):
                text = re.sub(r"\$\{([^}]+)}", lambda match: self.values.get(match[1], match[0]), value)
                return {"Fn::Sub": text} if "${" in text else text
            if name == "Fn::Split":
                return self.resolved(value[1]).split(value[0])
            if name == "Fn::Select":
                return self.resolved(value[1])[int(value[0])]
            if name == "Fn::Join":
                parts = self.resolved(value[1])
                if all(isinstance(part, str) for part in parts):
                    return value[0].join(parts)
        pairs = ((name, self.resolved(value)) for name, value in node.items())
        return {name: value for name, value in pairs if value is not NOTHING}
