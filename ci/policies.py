#!/usr/bin/env python3
"""Whether template.yaml gives nobody more than is needed: checkov's rules, and ours where it has none.

The template is looked at as it is, and as CloudFormation would see it in the cases of cases.py, every condition decided: checkov does not
look behind Fn::If. What is let pass has its reason in the template, in the resource's Metadata: `checkov.skip` for checkov's
rules, `wildcards` for what a policy's resource may end in. A reason that is missing is a finding, and so is one of no use.

Then faults are planted, one at a time, in copies of the template: each must be found, or the check itself is broken.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys

import yaml

from cases import CASES, KEY, Case, Loader

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
TEMPLATE = REPOSITORY / "template.yaml"


# ---------------------------------------------------------------- our rules


def listed(value):
    return value if isinstance(value, list) else [value]


def told(value):
    """A name or an ARN as a text, what is another resource's in `${…}`."""
    if isinstance(value, dict) and len(value) == 1:
        (name, inner), = value.items()
        if name == "Fn::GetAtt":
            return "${" + ".".join(inner) + "}"
        if name == "Ref":
            return "${" + inner + "}"
        if name == "Fn::Sub":
            return inner
    return value if isinstance(value, str) else json.dumps(value)


class Rules:
    """What is found in one case. `used` are the exceptions that were made use of."""

    def __init__(self, resources):
        self.resources, self.found, self.used = resources, [], set()
        for name, resource in resources.items():
            check = {
                "AWS::IAM::Role": self.role, "AWS::Serverless::Function": self.function, "AWS::Lambda::Permission": self.permission,
                "AWS::S3::Bucket": self.bucket, "AWS::SQS::Queue": self.queue, "AWS::Logs::LogGroup": self.log_group,
            }.get(resource["Type"])
            if check:
                check(name, resource.get("Properties", {}))
            elif resource["Type"] in ("AWS::IAM::ManagedPolicy", "AWS::IAM::Policy", "AWS::IAM::User", "AWS::IAM::Group"):
                self.tell(name, "STRAY_POLICY", "what may be done stands in the roles alone")
            elif resource["Type"] in ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy"):
                for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
                    if statement["Effect"] != "Deny":
                        self.tell(name, "GIVES", "a resource's own policy gives nothing to anybody, it only denies")

    def tell(self, name, rule, text):
        self.found.append((rule, f"{name}: {text}"))

    def role(self, name, properties):
        if properties.get("ManagedPolicyArns"):
            self.tell(name, "MANAGED_POLICY", "a managed policy is wider than what is needed, and changes")
        for statement in properties["AssumeRolePolicyDocument"]["Statement"]:
            principal = statement["Principal"]
            if list(principal) != ["Service"] or len(listed(principal["Service"])) != 1 or statement["Action"] != "sts:AssumeRole":
                self.tell(name, "TRUST", f"is for one service, and not for {json.dumps(principal)}")
        for policy in properties.get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                self.statement(f"{name}/{policy['PolicyName']}", name, statement)

    def statement(self, place, name, statement):
        if statement["Effect"] != "Allow" or "NotAction" in statement or "NotResource" in statement:
            self.tell(place, "SHAPE", "a role's statements name what is allowed")
        for action in listed(statement.get("Action", "*")):
            if not re.fullmatch(r"[a-z0-9]+:[A-Za-z]+", action):
                self.tell(place, "ACTION", f"{action} is no single action")
        exceptions = self.resources[name].get("Metadata", {}).get("wildcards", [])
        for resource in map(told, listed(statement.get("Resource", "*"))):
            if not re.search(r"[*?]", resource):
                continue
            for exception in exceptions:
                end = exception["end"]
                if resource.endswith(end) and not re.search(r"[*?]", resource.removesuffix(end)) and exception.get("comment"):
                    self.used.add((name, end))
                    break
            else:
                self.tell(place, "RESOURCE", f"{resource} is no single resource")

    def function(self, name, properties):
        if "Role" not in properties or "Policies" in properties or "Events" in properties:
            self.tell(name, "IMPLICIT_ROLE", "SAM would make a role or a permission of its own, which nobody reads here")
        if "LogGroup" not in properties.get("LoggingConfig", {}):
            self.tell(name, "LOG", "Lambda would make a log group that is kept for ever")

    def permission(self, name, properties):
        if properties["Principal"] == "*":
            if properties.get("FunctionUrlAuthType") != "NONE" and properties.get("InvokedViaFunctionUrl") is not True:
                self.tell(name, "OPEN", "anybody could invoke the function, operator actions included")
        elif "SourceArn" not in properties:
            self.tell(name, "CONFUSED_DEPUTY", "whose API may invoke it is not said")

    def denies(self, kind, target, sid_condition):
        """Whether every policy of a kind for a resource denies what keeps a condition."""
        operator, key, value = sid_condition
        for resource in self.resources.values():
            if resource["Type"] != kind:
                continue
            properties = resource["Properties"]
            if f"${{{target}}}" not in [told(each) for each in listed(properties.get("Queues", properties.get("Bucket")))]:
                continue
            for statement in properties["PolicyDocument"]["Statement"]:
                is_all = statement["Principal"] == "*" and statement["Effect"] == "Deny"
                reach = {told(each) for each in listed(statement["Resource"])}
                is_whole = f"${{{target}.Arn}}" in reach and (kind != "AWS::S3::BucketPolicy" or f"${{{target}.Arn}}/*" in reach)
                given = statement.get("Condition", {}).get(operator, {})
                if is_all and is_whole and len(statement["Condition"]) == 1 and key in given and value in (None, given[key]):
                    return listed(statement["Action"]), given[key]
        return [], None

    def bucket(self, name, properties):
        block = properties.get("PublicAccessBlockConfiguration", {})
        for setting in ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"):
            if block.get(setting) is not True:
                self.tell(name, "PUBLIC", f"{setting} is not set")
        if properties.get("VersioningConfiguration") != {"Status": "Enabled"}:
            self.tell(name, "VERSIONS", "a damaged state could not be restored")
        rules = properties.get("LifecycleConfiguration", {}).get("Rules", [])
        if not any(rule["Status"] == "Enabled" and "NoncurrentVersionExpiration" in rule for rule in rules):
            self.tell(name, "LIFECYCLE", "replaced versions are kept for ever")
        if properties.get("OwnershipControls") != {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}:
            self.tell(name, "OWNERSHIP", "access lists are not switched off")
        encryption = properties.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", [])
        if not encryption:
            self.tell(name, "ENCRYPTION", "is not said")
        self.own_key(name, [each["ServerSideEncryptionByDefault"].get("KMSMasterKeyID") for each in encryption])
        if "s3:*" not in self.denies("AWS::S3::BucketPolicy", name, ("Bool", "aws:SecureTransport", "false"))[0]:
            self.tell(name, "TLS", "may be asked without TLS")
        if "s3:*" not in self.denies("AWS::S3::BucketPolicy", name, ("NumericLessThan", "s3:TlsVersion", "1.2"))[0]:
            self.tell(name, "OLD_TLS", "may be asked by a TLS older than 1.2")
        for what in ("DeletionPolicy", "UpdateReplacePolicy"):
            if self.resources[name].get(what) != "Retain":
                self.tell(name, "RETAIN", f"{what}: what Calven holds is known nowhere else")

    def queue(self, name, properties):
        if properties.get("SqsManagedSseEnabled") is not True and not properties.get("KmsMasterKeyId"):
            self.tell(name, "ENCRYPTION", "is not said")
        self.own_key(name, [properties.get("KmsMasterKeyId")])
        if "sqs:*" not in self.denies("AWS::SQS::QueuePolicy", name, ("Bool", "aws:SecureTransport", "false"))[0]:
            self.tell(name, "TLS", "may be asked without TLS")
        if "RedrivePolicy" in properties:
            actions, senders = self.denies("AWS::SQS::QueuePolicy", name, ("ArnNotEquals", "aws:PrincipalArn", None))
            if "sqs:SendMessage" not in actions or told(listed(senders)[0]) != "${FunctionRole.Arn}" or len(listed(senders)) > 2:
                self.tell(name, "SENDERS", "others than the function may send, and would be believed")
            if properties.get("RedriveAllowPolicy") != {"redrivePermission": "denyAll"}:
                self.tell(name, "REDRIVE_IN", "another queue's dead letters may end in it, and would be believed")
        else:
            if properties.get("RedriveAllowPolicy", {}).get("redrivePermission") != "byQueue":
                self.tell(name, "REDRIVE", "other queues may use it for their dead letters")
            if not any(self.is_closed(each, name) for each in self.resources.values()):
                self.tell(name, "SENDERS", "somebody may send what an operator would then send back")

    @staticmethod
    def is_closed(resource, name):
        if resource["Type"] != "AWS::SQS::QueuePolicy":
            return False
        expected = {
            "Effect": "Deny", "Principal": "*", "Action": "sqs:SendMessage", "Resource": {"Fn::GetAtt": [name, "Arn"]},
            "Condition": {"Null": {"aws:PrincipalArn": "false"}, "Bool": {"aws:PrincipalIsAWSService": "false"}},
        }
        statements = resource["Properties"]["PolicyDocument"]["Statement"]
        return any({key: value for key, value in statement.items() if key != "Sid"} == expected for statement in statements)

    def log_group(self, name, properties):
        if not properties.get("RetentionInDays"):
            self.tell(name, "LOG", "is kept for ever")
        self.own_key(name, [properties.get("KmsKeyId")])

    def own_key(self, name, keys):
        """With a key of one's own everything is encrypted with it; without one, the function may use none."""
        is_given = any(KEY in json.dumps(resource.get("Properties", {})) for resource in self.resources.values())
        if is_given and keys != [KEY]:
            self.tell(name, "OWN_KEY", "is not encrypted with the key that is given")


def kms_without_key(case):
    """The function's rights to keys, where the stack is given none."""
    roles = [resource for resource in case.resources.values() if resource["Type"] == "AWS::IAM::Role"]
    return [("OWN_KEY", "the function may use a key, and none is given")] if "kms:" in json.dumps(roles) else []


def without_reason(template):
    """Exceptions whose reason is missing, or no reason."""
    for name, resource in template["Resources"].items():
        metadata = resource.get("Metadata", {})
        for exception in metadata.get("checkov", {}).get("skip", []) + metadata.get("wildcards", []):
            if len(exception.get("comment", "").split()) < 5:
                yield "REASON", f"{name}: {exception.get('id', exception.get('end'))} has no reason"


def look(template):
    """The findings of our rules in all cases, the exceptions that no case needs, and the cases."""
    cases = {name: Case(template, given) for name, given in CASES.items()}
    found, used = list(without_reason(template)), set()
    for name, case in cases.items():
        rules = Rules(case.resources)
        used |= rules.used
        keys = [] if CASES[name].get("KmsKeyArn") or CASES[name].get("SecretsKmsKeyArn") else kms_without_key(case)
        found += [(rule, f"{name}: {text}") for rule, text in rules.found + keys]
    for name, resource in template["Resources"].items():
        for exception in resource.get("Metadata", {}).get("wildcards", []):
            if (name, exception["end"]) not in used:
                found.append(("UNUSED", f"{name}: the exception for {exception['end']} is of no use"))
    return found, cases


# ---------------------------------------------------------------- checkov's rules


def checkov(program, folder):
    """What checkov finds in the files of a folder: by file the failed and the skipped checks, and how many passed in all."""
    # It has nothing to ask of anybody; a proxy that is not there sees to that.
    nowhere = {name: "http://127.0.0.1:9" for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")}
    done = subprocess.run(
        [program, "--directory", folder, "--framework", "cloudformation", "--skip-download", "--compact", "--output", "json"],
        env=os.environ | nowhere | {"NO_PROXY": "", "no_proxy": ""}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600,
    )
    try:
        report = json.loads(done.stdout)
    except json.JSONDecodeError:
        raise SystemExit(f"checkov ends with {done.returncode} and no report:\n{done.stdout}\n{done.stderr}")
    results = report["results"]
    if results.get("parsing_errors"):
        raise SystemExit(f"checkov cannot read {results['parsing_errors']}")

    def by_file(kind):
        found = {}
        for check in results.get(kind, []):
            place = (check["check_id"], check["resource"].split(".")[-1])
            found.setdefault(pathlib.Path(check["file_path"]).name, {})[place] = check["check_name"]
        return found

    return by_file("failed_checks"), by_file("skipped_checks"), report["summary"]["passed"]


def write(folder, name, case):
    template = {"AWSTemplateFormatVersion": "2010-09-09", "Transform": "AWS::Serverless-2016-10-31", "Resources": case.resources}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(template, indent=1))


# ---------------------------------------------------------------- planted faults

# What is planted: a text of the template, what stands there instead, and the rule that must find it.
PLANTED = [
    ("Action: s3:ListBucket", 'Action: "*"', "ACTION"),
    ("Action: s3:ListBucket", 'Action: "s3:*"', "ACTION"),
    ("Action: s3:ListBucket", "Action: [s3:ListBucket, iam:PassRole]\n                Resource: '*'\n              - Effect: Allow\n                Action: s3:ListBucket", "RESOURCE"),
    ("Resource: !Sub ${StateBucket.Arn}/${StateKey}", "Resource: !Sub ${StateBucket.Arn}/*", "RESOURCE"),
    ("-??????", "*", "RESOURCE"),
    ("Principal: {Service: lambda.amazonaws.com}", 'Principal: "*"', "TRUST"),
    ("      Role: !GetAtt FunctionRole.Arn\n", "", "IMPLICIT_ROLE"),
    ("      Policies:\n        - PolicyName: log\n", "      ManagedPolicyArns: [arn:aws:iam::aws:policy/AdministratorAccess]\n      Policies:\n        - PolicyName: log\n", "MANAGED_POLICY"),
    ("      InvokedViaFunctionUrl: true\n", "", "OPEN"),
    ("        BlockPublicPolicy: true\n", "        BlockPublicPolicy: false\n", "PUBLIC"),
    ("VersioningConfiguration: {Status: Enabled}", "VersioningConfiguration: {Status: Suspended}", "VERSIONS"),
    ("ObjectOwnership: BucketOwnerEnforced", "ObjectOwnership: ObjectWriter", "OWNERSHIP"),
    ('s3:TlsVersion: "1.2"', 's3:TlsVersion: "1.0"', "OLD_TLS"),
    ('aws:SecureTransport: "false"', 'aws:SecureTransport: "true"', "TLS"),
    ("SqsManagedSseEnabled: !If [HasKmsKey, !Ref AWS::NoValue, true]", "SqsManagedSseEnabled: false", "ENCRYPTION"),
    ("      KmsMasterKeyId: !If [HasKmsKey, !Ref KmsKeyArn, !Ref AWS::NoValue]\n", "", "OWN_KEY"),
    ("              ArnNotEquals:\n", "              ArnEquals:\n", "SENDERS"),
    ("          - Sid: NobodySends\n            Effect: Deny\n", "          - Sid: NobodySends\n            Effect: Allow\n", "GIVES"),
    ("redrivePermission: byQueue", "redrivePermission: allowAll", "REDRIVE"),
    ("      RedriveAllowPolicy: {redrivePermission: denyAll}\n", "", "REDRIVE_IN"),
    ("redrivePermission: denyAll", "redrivePermission: allowAll", "REDRIVE_IN"),
    ("      SourceArn: !Sub arn:${AWS::Partition}:execute-api", "      Ignored: !Sub arn:${AWS::Partition}:execute-api", "CONFUSED_DEPUTY"),
    ("      RetentionInDays: !Ref LogRetentionDays\n", "", "LOG"),
    ("            comment: Everything that it calls", "            not_a_comment: Everything that it calls", "REASON"),
    # Checkov's.
    ("Action: s3:ListBucket", 'Action: "*"', "CKV_AWS_107"),
    ("        IgnorePublicAcls: true\n", "        IgnorePublicAcls: false\n", "CKV_AWS_55"),
    ("VersioningConfiguration: {Status: Enabled}", "VersioningConfiguration: {Status: Suspended}", "CKV_AWS_21"),
    ("          - id: CKV_AWS_117\n", "          - id: CKV_AWS_999\n", "CKV_AWS_117"),
]


def planted(text, program, folder):
    """How many planted faults there are, and those that were not found."""
    missed, of_checkov = [], {}
    for number, (old, new, rule) in enumerate(PLANTED):
        if old not in text:
            missed.append(f"{old!r} is not in the template any more")
            continue
        template = yaml.load(text.replace(old, new), Loader)
        found, cases = look(template)
        if rule.startswith("CKV"):
            of_checkov[f"{number}.json"] = rule
            write(folder, str(number), cases["everything"])
        elif rule not in {of for of, _ in found}:
            missed.append(f"{rule}: {new!r} instead of {old!r} is not found")
    failed, _, _ = checkov(program, folder)
    for name, rule in of_checkov.items():
        if rule not in {of for of, _ in failed.get(name, {})}:
            missed.append(f"{rule}: {PLANTED[int(name.removesuffix('.json'))]} is not found")
    return len(PLANTED), missed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkov", required=True, help="the program")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="a folder for what is checked")
    arguments = parser.parse_args()
    text = TEMPLATE.read_text()
    template = yaml.load(text, Loader)

    found, cases = look(template)
    folder = arguments.out / "cases"
    for name, case in cases.items():
        write(folder, name, case)
    (folder / TEMPLATE.name).write_text(text)
    failed, skipped, passed = checkov(arguments.checkov, folder)
    for name, checks in failed.items():
        found += [(rule, f"{name}: {resource}: {what}") for (rule, resource), what in checks.items()]
    reasons = {
        (exception["id"], name): exception.get("comment", "")
        for name, resource in template["Resources"].items()
        for exception in resource.get("Metadata", {}).get("checkov", {}).get("skip", [])
    }
    needed = {place for checks in skipped.values() for place in checks}
    found += [("UNUSED", f"{name}: the exception for {rule} is of no use") for rule, name in reasons.keys() - needed]

    print(f"checkov: {passed} passed in {len(cases) + 1} templates, {sum(map(len, failed.values()))} failed")
    for (rule, name), reason in sorted(reasons.items()):
        print(f"  let pass: {rule} of {name}: {reason}")
    for name, resource in template["Resources"].items():
        for exception in resource.get("Metadata", {}).get("wildcards", []):
            print(f"  let pass: {exception['end']} of {name}: {exception.get('comment', '')}")
    for rule, what in found:
        print(f"FOUND  {rule}: {what}")
    count, missed = planted(text, arguments.checkov, arguments.out / "planted")
    for what in missed:
        print(f"MISSED  {what}")
    print(f"findings without a reason: {len(found)}; planted faults found: {count - len(missed)} of {count}")
    sys.exit(1 if found or missed else 0)


if __name__ == "__main__":
    main()
